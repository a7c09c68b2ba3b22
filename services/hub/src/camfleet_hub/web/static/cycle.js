/**
 * Turns the sheets of a wall that nobody sits at. Knows nothing of what is on them.
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

/** The sheet that is shown, of however many there are now. */
export class Cycle {
  #place;
  #isHeld;
  #sheet = 0;
  #count = 1;

  /**
   * @param {HTMLElement} place where its number is told
   * @param {number} periodS
   * @param {{onTurn: () => void, isHeld: () => boolean}} handlers a sheet that is held stays
   */
  constructor(place, periodS, { onTurn, isHeld }) {
    this.#place = place;
    this.#isHeld = isHeld;
    if (!periodS) return;
    setInterval(() => isHeld() || document.hidden || (this.turn(1) && onTurn()), 1000 * periodS);
  }

  /** How many sheets there were last. */
  get count() {
    return this.#count;
  }

  /**
   * The sheet that is shown of these.
   * @template Sheet
   * @param {Sheet[]} sheets
   * @returns {Sheet}
   */
  pick(sheets) {
    this.#count = sheets.length;
    this.#sheet = Math.min(this.#sheet, sheets.length - 1);
    this.tell();
    return sheets[this.#sheet];
  }

  /**
   * @param {number} step
   * @returns {boolean} whether there is another sheet
   */
  turn(step) {
    this.#sheet = (this.#sheet + step + this.#count) % this.#count;
    return this.#count > 1;
  }

  /** Tell the sheet's number, and whether it stays. */
  tell() {
    const text = `${this.#sheet + 1} of ${this.#count}${this.#isHeld() ? ", paused" : ""}`;
    if (this.#place.textContent !== text) this.#place.textContent = text;
    this.#place.hidden = this.#count < 2;
  }
}
