/**
 * The heading of a group, which folds it. Knows nothing of tiles.
 * @module
 */

/** An item of the wall's list, as wide as the wall. */
export class Heading {
  element = document.createElement("li");

  #button = document.createElement("button");
  #title = document.createElement("bdi");
  #count = document.createElement("span");

  /** @param {() => void} onFold */
  constructor(onFold) {
    const heading = document.createElement("h2");
    this.element.className = "heading";
    this.#button.type = "button";
    this.#button.append(this.#title, " ", this.#count);
    this.#button.addEventListener("click", onFold);
    heading.append(this.#button);
    this.element.append(heading);
  }

  /**
   * @param {string} title
   * @param {{online: number, all: number}} count
   * @param {boolean} isFolded
   */
  tell(title, { online, all }, isFolded) {
    const text = online === all ? `${all}` : `${online} of ${all} online`;
    if (this.#title.textContent !== title) this.#title.textContent = title;
    if (this.#count.textContent !== text) this.#count.textContent = text;
    const whole = `${title}: ${text}`; // a narrow group has no room for it
    if (this.#button.title !== whole) this.#button.title = whole;
    this.#button.setAttribute("aria-expanded", String(!isFolded));
  }
}
