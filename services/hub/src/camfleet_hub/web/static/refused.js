/**
 * The senders that the hub rejects and that have no tile to say so on.
 * @module
 */

/** @typedef {import("./message.js").Refused} Refusal */

/** A button in the bar, and the list that it opens; on an empty wall the list stands there. */
export class Refused {
  #button = /** @type {HTMLElement} */ (document.getElementById("refused"));
  #lists = document.querySelectorAll(".refused-list");
  #text = "";

  /** @param {Refusal[]} refusals */
  tell(refusals) {
    const text = JSON.stringify(refusals);
    if (text === this.#text) return;
    this.#text = text;
    this.#button.hidden = !refusals.length;
    this.#button.textContent = `${refusals.length} rejected`;
    for (const list of this.#lists) list.replaceChildren(...refusals.map(item));
  }
}

/** @param {Refusal} refusal */
function item({ sender, reason, problem }) {
  const element = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = sender || "an unknown sender";
  const detail = document.createElement("small");
  detail.textContent = problem;
  element.append(name, `: ${reason} `, detail);
  return element;
}
