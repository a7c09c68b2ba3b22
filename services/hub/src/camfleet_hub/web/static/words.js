/**
 * Numbers and states as people read them. Pure functions; never touches the page.
 * @module
 */

/** @typedef {import("./message.js").Camera} Camera */
/** @typedef {Camera["state"] | "rejected"} State as the hub sees it */

export const UNKNOWN = "–";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * @param {number} durationMs
 */
export function duration(durationMs) {
  const ms = Math.max(0, durationMs);
  if (ms < SECOND_MS) return `${Math.floor(ms)} ms`;
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

/**
 * @param {number | null} latencyMs
 * @param {number | null} uncertaintyMs
 */
export function latency(latencyMs, uncertaintyMs) {
  if (latencyMs === null) return UNKNOWN;
  if (uncertaintyMs === null) return `${latencyMs.toFixed(0)} ± ? ms`;
  return `${latencyMs.toFixed(0)} ± ${uncertaintyMs.toFixed(uncertaintyMs < 9.95 ? 1 : 0)} ms`;
}

/** @param {number | null} fps 0 where it has not been measured yet */
export function rate(fps) {
  if (!fps) return UNKNOWN;
  return `${fps.toFixed(fps < 99.95 ? 1 : 0)} fps`;
}

/**
 * What a camera's detectors find now, and whether it is slow, for the corner of its picture.
 * @param {Camera} camera
 * @param {boolean} isSlow
 */
export function marks(camera, isSlow) {
  return [...(camera.marks ?? []), ...(isSlow ? [slow(camera)] : [])].join(", ");
}

/**
 * How slow a camera is.
 * @param {Camera} camera
 */
export function slow({ captured_fps: captured, asked_fps: asked }) {
  return `slow: ${few(captured ?? 0)} of ${few(asked ?? 0)} fps`;
}

/** @param {number} fps */
function few(fps) {
  return String(fps < 10 ? Math.round(10 * fps) / 10 : Math.round(fps));
}

/**
 * @param {number} pausedMs
 * @param {State} state that goes on behind the picture that stands still
 */
function paused(pausedMs, state) {
  const text = `paused ${duration(pausedMs)} ago`;
  return state === "online" ? text : `${text}; the camera is ${state}`;
}

/** @param {number} ageMs */
function lastPicture(ageMs) {
  return `last picture ${duration(ageMs)} ago`;
}

/**
 * How a tile looks, and why.
 * @typedef {object} Condition
 * @property {"online" | "stale" | "offline" | "waiting" | "unlinked" | "broken" | "rejected" | "paused"} name
 * @property {string} title stands large on the slate
 * @property {string} text stands below it
 */

/**
 * What only the browser knows.
 * @typedef {object} Here
 * @property {boolean} isLinked
 * @property {boolean} isBroken the newest frame is no picture
 * @property {number | null} pausedMs for how long; null where the tile is not paused
 */

/**
 * @param {State} state
 * @param {number | null} ageMs of the newest picture; null before the first one
 * @param {Here} here
 * @param {string} reason why it is rejected, or offline
 * @returns {Condition}
 */
export function condition(state, ageMs, { isLinked, isBroken, pausedMs }, reason = "") {
  if (pausedMs !== null) return { name: "paused", title: "", text: paused(pausedMs, state) };
  const last = ageMs === null ? "no picture yet" : lastPicture(ageMs);
  if (!isLinked) return { name: "unlinked", title: "", text: last };
  if (state === "rejected") return { name: "rejected", title: "rejected", text: reason };
  if (state === "offline") return { name: "offline", title: "offline", text: reason ? `${last}; ${reason}` : last };
  if (ageMs === null) return { name: "waiting", title: "", text: "waiting for the first picture" };
  if (state === "stale") return { name: "stale", title: "", text: last };
  if (isBroken) return { name: "broken", title: "", text: "this picture cannot be decoded" };
  return { name: "online", title: "", text: "" };
}

/** @type {Record<Condition["name"], string>} */
export const SPOKEN = {
  online: "online",
  stale: "stale",
  offline: "offline",
  waiting: "waiting",
  unlinked: "no link to the hub",
  broken: "not a picture",
  rejected: "rejected",
  paused: "paused",
};
