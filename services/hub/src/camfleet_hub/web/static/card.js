/**
 * What the page shows of one tile: elements made of the page's template, and the texts on them.
 * Names come from strangers, so they become text and never markup.
 * @module
 */

/** @typedef {import("./message.js").Camera} Camera */

/** Touches the page only where something changed: hundreds of cards are told twice a second. */
export class Card {
  /** @type {HTMLElement} */
  element;

  /** @type {Map<string, any>} each looked for once */
  #parts = new Map();

  /**
   * @param {number} number this browser's own, of this camera
   * @param {Camera} camera
   */
  constructor(number, { id, node, camera }) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("tile"));
    this.element = /** @type {HTMLElement} */ (
      /** @type {Element} */ (template.content.firstElementChild).cloneNode(true)
    );
    this.element.dataset.camera = id;
    this.write(".node", node);
    this.write(".camera", camera);
    const path = `${encodeURIComponent(node)}/${encodeURIComponent(camera)}`;
    this.part(".snapshot").setAttribute("href", `/snapshot/${path}.jpg`);
    this.part(".mjpeg").setAttribute("href", `/mjpeg/${path}`);
    this.part(".history").setAttribute("href", `/node/${encodeURIComponent(node)}`);
    this.#label(number);
  }

  /**
   * @param {string} selector
   * @returns {any} the template holds it
   */
  part(selector) {
    const part = this.#parts.get(selector) ?? this.element.querySelector(selector);
    this.#parts.set(selector, part);
    return part;
  }

  /**
   * @param {string} selector
   * @param {string} text
   */
  write(selector, text) {
    const part = this.part(selector);
    if (part.textContent !== text) part.textContent = text;
  }

  /**
   * @param {string} selector of a button that is on or off
   * @param {boolean} isOn
   */
  press(selector, isOn) {
    this.part(selector).setAttribute("aria-pressed", String(isOn));
  }

  /** @param {string} text stands beside the pointer */
  explain(text) {
    const button = this.part(".open");
    if (button.title !== text) button.title = text;
  }

  /** @param {string} name of its condition, for the style sheet */
  dress(name) {
    if (this.element.dataset.state !== name) this.element.dataset.state = name;
  }

  /** @param {boolean} isCurrent the one tile that the Tab key reaches */
  setCurrent(isCurrent) {
    for (const reached of this.element.querySelectorAll("a, button")) {
      /** @type {HTMLElement} */ (reached).tabIndex = isCurrent ? 0 : -1;
    }
  }

  /**
   * The button is called "garden / front, online, motion", and described by the slate.
   * @param {number} number
   */
  #label(number) {
    // Numbers make the ids: a list of ids is separated by spaces, which names may hold.
    for (const part of ["name", "state", "marks", "slate"]) {
      this.part(`.${part}`).id = `${part}-${number}`;
    }
    this.part(".tools").setAttribute("aria-labelledby", `name-${number}`);
    const button = this.part(".open");
    button.setAttribute("aria-labelledby", `name-${number} state-${number} marks-${number}`);
    button.setAttribute("aria-describedby", `slate-${number}`);
  }
}
