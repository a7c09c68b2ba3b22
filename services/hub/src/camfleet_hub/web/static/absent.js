/**
 * Cameras that the hub knew a moment ago and does not name now. A restarted hub knows none until
 * its nodes are back, and meanwhile the wall must not fall down.
 * @module
 */

/** @typedef {import("./message.js").Camera} Camera */

const PATIENCE_MS = 15_000; // nodes are back within seconds; then they are gone indeed

/** Remembers each camera as it was last named. */
export class Absent {
  /** @type {Map<string, {camera: Camera, atMs: number}>} */
  #named = new Map();

  /**
   * The hub's cameras, and those it has not named for a short while, as stale ones.
   * @param {Camera[]} cameras
   * @param {number} nowMs
   * @returns {Camera[]} by id, as the hub has them
   */
  fill(cameras, nowMs) {
    for (const camera of cameras) this.#named.set(camera.id, { camera, atMs: nowMs });
    const named = new Set(cameras.map(({ id }) => id));
    const absent = [];
    for (const [id, { camera, atMs }] of this.#named) {
      if (nowMs - atMs > PATIENCE_MS) this.#named.delete(id);
      else if (!named.has(id)) absent.push(asStale(camera, nowMs - atMs));
    }
    if (!absent.length) return cameras;
    return [...cameras, ...absent].sort((a, b) => (a.id < b.id ? -1 : 1));
  }
}

/**
 * @param {Camera} camera
 * @param {number} sinceMs it was named
 * @returns {Camera}
 */
function asStale(camera, sinceMs) {
  const ageMs = camera.age_ms === null ? null : camera.age_ms + sinceMs;
  const state = camera.state === "online" ? "stale" : camera.state;
  return { ...camera, state, age_ms: ageMs, fps: 0, marks: [], rejection: null };
}
