/**
 * The moment that all plots of the page tell of: now, or one that somebody points at.
 * @module
 */

/** Told to whoever listens for `change`. */
export class Moment extends EventTarget {
  /** @type {number | null} */
  #ageS = null;

  /** How long ago it is; null for now. */
  get ageS() {
    return this.#ageS;
  }

  /** @param {number | null} ageS */
  set(ageS) {
    if (ageS === this.#ageS) return;
    this.#ageS = ageS;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * The sample that is nearest to a moment; -1 without any.
 * @param {number[]} agesS oldest first
 * @param {number | null} ageS
 */
export function nearest(agesS, ageS) {
  if (ageS === null) return agesS.length - 1;
  let best = -1;
  agesS.forEach((one, place) => {
    if (best < 0 || Math.abs(one - ageS) < Math.abs(agesS[best] - ageS)) best = place;
  });
  return best;
}

/**
 * A moment in words.
 * @param {number} ageS
 */
export function ago(ageS) {
  const seconds = Math.round(ageS);
  const minutes = Math.floor(seconds / 60);
  return minutes ? `${minutes} min ${seconds % 60} s ago` : `${seconds} s ago`;
}
