/**
 * What one tile painted lately: how many pictures, and how old they were. Reads no clock.
 * @module
 */

const WINDOW_MS = 1000; // shorter and the numbers cannot be read

/**
 * @typedef {object} Reading null where nothing was painted, or nobody knows
 * @property {number | null} fps
 * @property {number | null} latencyMs
 * @property {number | null} uncertaintyMs
 */

/** @type {Reading} */
const NOTHING = { fps: null, latencyMs: null, uncertaintyMs: null };

/** Counts for a second, then shows that second's numbers for the next one. */
export class Meter {
  #startedMs = 0;
  #painted = 0;
  /** @type {{latencyMs: number, uncertaintyMs: number | null}[]} */
  #latencies = [];
  #reading = NOTHING;

  /**
   * @param {number | null} latencyMs capture to paint
   * @param {number | null} uncertaintyMs of both clocks
   */
  add(latencyMs, uncertaintyMs) {
    this.#painted += 1;
    if (latencyMs !== null) this.#latencies.push({ latencyMs, uncertaintyMs });
  }

  /**
   * The last full second: painted pictures, and the median latency with its own uncertainty.
   * @param {number} nowMs
   */
  read(nowMs) {
    const passedMs = nowMs - this.#startedMs;
    if (passedMs < WINDOW_MS) return this.#reading;
    this.#latencies.sort((a, b) => a.latencyMs - b.latencyMs);
    const median = this.#latencies[this.#latencies.length >> 1];
    this.#reading = { ...NOTHING, ...median, fps: (this.#painted * 1000) / passedMs };
    this.#startedMs = nowMs;
    this.#painted = 0;
    this.#latencies = [];
    return this.#reading;
  }
}
