/**
 * What a person chose on this screen: kept by the browser, overruled by the page's address, so
 * that each display of several can have a wall of its own. Never leaves the browser.
 * @module
 */

const PREFIX = "camfleet.";
const MOST_CHARACTERS = 65536; // of one choice: a thousand cameras' names

/** Texts by name, such as `columns` or `group`. */
export class Preferences {
  #address;
  /** @type {Map<string, string>} what was chosen since the page was opened */
  #chosen = new Map();

  /** @param {string} query of the page's address, such as `?kiosk&group=node` */
  constructor(query) {
    this.#address = new URLSearchParams(query);
  }

  /**
   * Whether the address names it, with or without a value.
   * @param {string} name
   */
  isAsked(name) {
    return this.#address.has(name);
  }

  /**
   * @param {string} name
   * @returns {string | null} null where nobody chose
   */
  get(name) {
    return this.#chosen.get(name) ?? this.#address.get(name) ?? recall(name);
  }

  /**
   * What the address asks for is asked of this page alone, so a change of it is not kept.
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    this.#chosen.set(name, value);
    if (!this.isAsked(name)) keep(name, value);
  }

  /**
   * @param {string} name
   * @returns {string[]}
   */
  list(name) {
    try {
      const list = JSON.parse(this.get(name) ?? "[]");
      return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
    } catch {
      return []; // another version of this page kept something else
    }
  }

  /**
   * @param {string} name
   * @param {string[]} items
   */
  setList(name, items) {
    this.set(name, JSON.stringify(items));
  }
}

/**
 * @param {string} name
 * @returns {string | null}
 */
function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null; // storage is forbidden here: a choice lasts as long as the page
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function keep(name, value) {
  if (value.length > MOST_CHARACTERS) return;
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // as above, or it is full
  }
}
