/**
 * The senders that the hub rejects and that have no tile to say so on.
 * @module
 */

/** @typedef {import("./message.js").RejectedSender} RejectedSender */

/** A button in the bar, and the list that it opens; on an empty wall the list stands there. */
export class Rejected {
  #button = /** @type {HTMLElement} */ (document.getElementById("rejected"));
  #lists = document.querySelectorAll(".rejected-list");
  #text = "";

  /** @param {RejectedSender[]} senders */
  tell(senders) {
    const text = JSON.stringify(senders);
    if (text === this.#text) return;
    this.#text = text;
    this.#button.hidden = !senders.length;
    this.#button.textContent = `${senders.length} rejected`;
    for (const list of this.#lists) list.replaceChildren(...senders.map(item));
  }
}

/** @param {RejectedSender} rejected */
function item({ sender, reason, problem }) {
  const element = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = sender || "an unknown sender";
  const detail = document.createElement("small");
  detail.textContent = problem;
  element.append(name, `: ${reason} `, detail);
  return element;
}
