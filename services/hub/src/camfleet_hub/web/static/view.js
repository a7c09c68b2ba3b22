/**
 * The menu for how the wall looks: columns, groups, colours, order, hidden cameras.
 * @module
 */

import { say } from "./speech.js";

/** @typedef {import("./preferences.js").Preferences} Preferences */

const CHOICES = ["columns", "group", "theme"];

/**
 * @typedef {object} Handlers
 * @property {() => void} onChange
 * @property {() => void} onReset
 * @property {() => void} onHidden
 */

/** Asks; what was chosen stands in the preferences. */
export class View {
  #preferences;
  #hidden = /** @type {HTMLButtonElement} */ (document.getElementById("hidden"));
  #arrange = /** @type {HTMLButtonElement} */ (document.getElementById("arrange"));

  /**
   * @param {Preferences} preferences
   * @param {Handlers} handlers
   */
  constructor(preferences, { onChange, onReset, onHidden }) {
    this.#preferences = preferences;
    for (const name of CHOICES) this.#follow(name, onChange);
    document.getElementById("reset")?.addEventListener("click", onReset);
    this.#hidden.addEventListener("click", onHidden);
    this.#arrange.addEventListener("click", () => this.#toggleArranging());
    this.#paint();
  }

  /** The chosen number of columns; null where the wall chooses. */
  get columns() {
    return Math.min(32, Math.max(0, Math.floor(Number(this.#preferences.get("columns"))))) || null;
  }

  get grouping() {
    return this.#preferences.get("group") ?? "none";
  }

  /** Every tile shows its handle, for fingers, or no longer does. */
  #toggleArranging() {
    const isArranging = document.body.classList.toggle("arranging");
    this.#arrange.setAttribute("aria-pressed", String(isArranging));
    say(isArranging ? "arrange by hand: on" : "arrange by hand: off");
  }

  /**
   * @param {number} count
   * @param {boolean} isShown
   */
  tellHidden(count, isShown) {
    const text = isShown ? "Hide them again" : `Show hidden (${count})`;
    if (this.#hidden.textContent !== text) this.#hidden.textContent = text;
    this.#hidden.hidden = !count;
  }

  /**
   * @param {string} name
   * @param {() => void} onChange
   */
  #follow(name, onChange) {
    const select = /** @type {HTMLSelectElement} */ (document.getElementById(name));
    select.value = this.#preferences.get(name) ?? select.value;
    if (select.selectedIndex < 0) select.selectedIndex = 0; // the address asks for what we have not
    select.addEventListener("change", () => {
      this.#preferences.set(name, select.value);
      this.#paint();
      onChange();
    });
  }

  #paint() {
    document.documentElement.dataset.theme = this.#preferences.get("theme") ?? "auto";
  }
}
