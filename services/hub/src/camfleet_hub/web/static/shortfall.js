/**
 * Whether a camera gives much less than it is set to give, and for a while. Reads no clock.
 * @module
 */

const LEAST_SHARE = 0.8; // as in the alert CameraSlow
const PATIENCE_MS = 10_000; // a camera that begins, or opens its shutter for long, is not slow yet

/** Of one camera. */
export class Shortfall {
  /** @type {number | null} */
  #sinceMs = null;

  /**
   * @param {import("./message.js").Camera} camera as the hub tells of it now
   * @param {number} nowMs
   */
  follow({ state, captured_fps: captured = 0, asked_fps: asked = null }, nowMs) {
    const isShort = state === "online" && asked !== null && captured < LEAST_SHARE * asked;
    this.#sinceMs = isShort ? (this.#sinceMs ?? nowMs) : null;
  }

  /** @param {number} nowMs */
  isSlow(nowMs) {
    return this.#sinceMs !== null && nowMs - this.#sinceMs >= PATIENCE_MS;
  }
}
