/**
 * How large each tile's picture is shown, in pixels of the display. Asks nothing of the hub.
 * @module
 */

/** @typedef {{width: number, height: number}} Size */

const STEP = 16; // a wall that is resized by a little shall not ask for other pictures
const MAX_SIDE = 65535; // the most that a JPEG can hold, and so the hub's bound
export const WHOLE = { width: 0, height: 0 };

/**
 * @param {number} css pixels
 * @param {number} ratio pixels of the display for one of CSS
 */
export function rounded(css, ratio) {
  return Math.min(MAX_SIDE, Math.ceil((css * ratio) / STEP) * STEP);
}

/** Follows the layout, and tells of many changes at once. */
export class Sizes {
  #onChange;
  #isToTell = false;
  /** @type {Map<Element, Size>} */
  #sizes = new Map();
  #observer = new ResizeObserver((entries) => this.#take(entries));

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {Element} tile */
  watch(tile) {
    this.#observer.observe(pictureOf(tile));
  }

  /** @param {Element} tile */
  forget(tile) {
    this.#observer.unobserve(pictureOf(tile));
    this.#sizes.delete(pictureOf(tile));
  }

  /**
   * @param {Element} tile
   * @returns {Size} 0 by 0 until it is known
   */
  of(tile) {
    return this.#sizes.get(pictureOf(tile)) ?? WHOLE;
  }

  /** @param {ResizeObserverEntry[]} entries */
  #take(entries) {
    for (const { target, contentRect } of entries) {
      const width = rounded(contentRect.width, devicePixelRatio);
      this.#sizes.set(target, { width, height: rounded(contentRect.height, devicePixelRatio) });
    }
    if (this.#isToTell) return;
    this.#isToTell = true;
    setTimeout(() => {
      this.#isToTell = false;
      this.#onChange();
    });
  }
}

/**
 * @param {Element} tile
 * @returns {Element}
 */
function pictureOf(tile) {
  return /** @type {Element} */ (tile.querySelector(".picture"));
}
