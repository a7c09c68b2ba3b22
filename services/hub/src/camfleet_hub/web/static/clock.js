/**
 * How far the hub's clock is off from this browser's, and how sure that is. Sends nothing.
 * @module
 */

const SAMPLES = 8; // the clock filter's length (RFC 5905, 10)
const DRIFT_PPM = 15; // how fast two quartz clocks may part (RFC 5905's PHI)
const GRAIN_MS = 0.1; // browsers round performance.now() to that

/** @typedef {{atMs: number, offsetMs: number, uncertaintyMs: number}} Sample */

/**
 * This browser's Unix time in ms. It does not follow when the system's clock is stepped, so
 * that an offset once measured stays true.
 */
export function browserMs() {
  return performance.timeOrigin + performance.now();
}

/**
 * Keeps the last eight exchanges and believes the one with the least round trip: the true
 * offset lies within half of it, however the delay was split (RFC 5905, 8 and 10).
 */
export class HubClock {
  /** @type {Sample[]} */
  #samples = [];

  /** Forget all: another hub may answer now. */
  reset() {
    this.#samples = [];
  }

  /**
   * Take one exchange.
   * @param {number} sentMs on the browser's clock
   * @param {number} receivedMs on the hub's
   * @param {number} repliedMs on the hub's
   * @param {number} returnedMs on the browser's
   */
  add(sentMs, receivedMs, repliedMs, returnedMs) {
    const roundTripMs = returnedMs - sentMs - (repliedMs - receivedMs);
    if (roundTripMs < -GRAIN_MS) return this.reset(); // a clock was stepped in mid-exchange
    const sample = {
      atMs: returnedMs,
      offsetMs: (receivedMs - sentMs + (repliedMs - returnedMs)) / 2,
      uncertaintyMs: Math.max(0, roundTripMs) / 2 + GRAIN_MS,
    };
    if (this.#contradicts(sample)) this.reset();
    this.#samples = [...this.#samples, sample].slice(-SAMPLES);
  }

  /**
   * The best estimate at a time of the browser; null before the first exchange.
   * @param {number} nowMs
   * @returns {{offsetMs: number, uncertaintyMs: number} | null}
   */
  offset(nowMs) {
    const aged = this.#samples.map(({ atMs, offsetMs, uncertaintyMs }) => ({
      offsetMs,
      uncertaintyMs: uncertaintyMs + (Math.abs(nowMs - atMs) * DRIFT_PPM) / 1e6,
    }));
    if (!aged.length) return null;
    return aged.reduce((best, one) => (one.uncertaintyMs < best.uncertaintyMs ? one : best));
  }

  /**
   * A time of the browser on the hub's clock; null before the first exchange.
   * @param {number} nowMs
   */
  at(nowMs) {
    const offset = this.offset(nowMs);
    return offset && nowMs + offset.offsetMs;
  }

  /**
   * Beyond both bounds it means that a clock was stepped, so the older ones are worth nothing.
   * @param {Sample} sample
   */
  #contradicts(sample) {
    const believed = this.offset(sample.atMs);
    if (!believed) return false;
    const apartMs = Math.abs(sample.offsetMs - believed.offsetMs);
    return apartMs > sample.uncertaintyMs + believed.uncertaintyMs;
  }
}
