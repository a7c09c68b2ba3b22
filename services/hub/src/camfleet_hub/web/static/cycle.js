/**
 * Which sheet of a wall that nobody sits at is shown, and when the next one is. What fits on one,
 * it asks.
 * @module
 */

import { sheetsOf } from "./sheets.js";

/** @typedef {import("./board.js").Section} Section */

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
  #isTurning;
  #onTurn;
  #isHeld;
  #sheet = 0;
  #count = 1;

  /**
   * @param {HTMLElement} place where its number is told
   * @param {number} periodS 0 for a wall without sheets
   * @param {{onTurn: () => void, isHeld: () => boolean}} handlers a sheet that is held stays
   */
  constructor(place, periodS, { onTurn, isHeld }) {
    this.#place = place;
    this.#isTurning = Boolean(periodS);
    this.#onTurn = onTurn;
    this.#isHeld = isHeld;
    if (periodS) setInterval(() => isHeld() || document.hidden || this.turn(1), 1000 * periodS);
  }

  /**
   * What stands on the sheet that is shown; of a wall without sheets, all.
   * @param {Section[]} sections
   * @param {(sections: Section[]) => boolean} fits
   * @returns {Section[]}
   */
  cut(sections, fits) {
    if (!this.#isTurning) return sections;
    const sheets = sheetsOf(sections, fits, this.#count);
    this.#count = sheets.length;
    this.#sheet = Math.min(this.#sheet, sheets.length - 1);
    this.tell();
    return sheets[this.#sheet];
  }

  /**
   * Show another sheet of the wall.
   * @param {number} step
   * @returns {boolean} whether there is one
   */
  turn(step) {
    if (this.#count < 2) return false;
    this.#sheet = (this.#sheet + step + this.#count) % this.#count;
    this.#onTurn();
    return true;
  }

  /** Tell the sheet's number, and whether it stays. */
  tell() {
    const text = `${this.#sheet + 1} of ${this.#count}${this.#isHeld() ? ", paused" : ""}`;
    if (this.#place.textContent !== text) this.#place.textContent = text;
    this.#place.hidden = this.#count < 2;
  }
}
