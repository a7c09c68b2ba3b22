/**
 * Turns the pages of a wall that nobody sits at. Knows nothing of what is on them.
 * @module
 */

const USUAL_S = 20;
const SHORTEST_S = 2; // pictures have to come, and eyes to find them
const LONGEST_S = 86_400;

/**
 * @param {string | null} asked seconds, as the address has them
 * @returns {number} 0 for never; the usual where the address says nothing that can be understood
 */
export function periodOf(asked) {
  const seconds = asked === null || asked.trim() === "" ? NaN : Number(asked);
  if (!Number.isFinite(seconds) || seconds < 0) return USUAL_S;
  return seconds && Math.min(LONGEST_S, Math.max(SHORTEST_S, seconds));
}

/** The page that is shown, of however many there are now. */
export class Cycle {
  #place;
  #isHeld;
  #page = 0;
  #count = 1;

  /**
   * @param {HTMLElement} place where its number is told
   * @param {number} periodS
   * @param {{onTurn: () => void, isHeld: () => boolean}} handlers a page that is held stays
   */
  constructor(place, periodS, { onTurn, isHeld }) {
    this.#place = place;
    this.#isHeld = isHeld;
    if (!periodS) return;
    setInterval(() => isHeld() || document.hidden || (this.turn(1) && onTurn()), 1000 * periodS);
  }

  /** How many pages there were last. */
  get count() {
    return this.#count;
  }

  /**
   * The page that is shown of these.
   * @template Page
   * @param {Page[]} pages
   * @returns {Page}
   */
  pick(pages) {
    this.#count = pages.length;
    this.#page = Math.min(this.#page, pages.length - 1);
    this.tell();
    return pages[this.#page];
  }

  /**
   * @param {number} step
   * @returns {boolean} whether there is another page
   */
  turn(step) {
    this.#page = (this.#page + step + this.#count) % this.#count;
    return this.#count > 1;
  }

  /** Tell the page's number, and whether it stays. */
  tell() {
    const text = `${this.#page + 1} of ${this.#count}${this.#isHeld() ? ", paused" : ""}`;
    if (this.#place.textContent !== text) this.#place.textContent = text;
    this.#place.hidden = this.#count < 2;
  }
}
