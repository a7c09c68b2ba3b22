/**
 * The wall's messages, version 1, from and to text and bytes. Opens no connection.
 * @module
 */

/**
 * One camera, as the hub sees it.
 * @typedef {object} Camera
 * @property {string} id `node/camera`
 * @property {string} node
 * @property {string} camera
 * @property {"online" | "stale" | "offline"} state
 * @property {number} fps pictures a second that the hub receives
 * @property {number} [captured_fps] pictures a second that it captures
 * @property {number | null} [asked_fps] that it is set to give; null where nobody knows
 * @property {number | null} latency_ms capture to hub
 * @property {number | null} uncertainty_ms of that latency
 * @property {number | null} age_ms of its newest picture; null before the first one
 * @property {number | null} width
 * @property {number | null} height
 * @property {("motion" | "dark")[]} [marks] what its detectors find now
 * @property {Rejection | null} [rejection] what of it the hub rejected last, if that was just now
 * @property {Gone | null} [gone] why its node is gone, where it is
 */

/** @typedef {{reason: string, problem: string, age_ms: number}} Rejection in words */
/** @typedef {{reason: "goodbye" | "silent" | "revoked" | "rejected", detail: string}} Gone in words */
/** @typedef {Rejection & {sender: string}} RejectedSender it has no tile */

/** @typedef {{nodes: number, imagezmq: number}} Ports where cameras connect to */

/**
 * @typedef {object} FleetMessage
 * @property {"fleet"} type
 * @property {string} hub
 * @property {Camera[]} cameras
 * @property {Ports} [ports]
 * @property {string} [page] which version of this page the hub has
 * @property {RejectedSender[]} [rejected]
 */

/**
 * @typedef {{type: "clock", sent_ms: number, received_ms: number, replied_ms: number}} ClockMessage
 * @typedef {{type: "error", message: string}} ErrorMessage
 * @typedef {FleetMessage | ClockMessage | ErrorMessage} TextMessage
 */

/**
 * One encoded picture with its header.
 * @typedef {object} Frame
 * @property {number} tile
 * @property {number} number counts the frames of this tile
 * @property {number | null} capturedMs Unix ms on the hub's clock; null where nobody knows
 * @property {number | null} uncertaintyMs of that time
 * @property {Uint8Array<ArrayBuffer>} jpeg
 */

/**
 * A tile with its size in pixels of the display, 0 for the whole picture.
 * @typedef {{tile: number, camera: string, width: number, height: number}} Shown
 */
/**
 * @typedef {[tile: number, number: number, paintedMs: number | null, uncertaintyMs: number | null]}
 *   Painted times on the hub's clock
 */

export const MAX_SHOWN = 256; // the hub accepts no longer list of tiles
const VERSION = 1;
const KIND_FRAME = 1;
const KIND_FRAMES = 2;
const HEADER_BYTES = 24;
const COUNT_BYTES = 4; // version, kind, how many
const SIZE_BYTES = 4; // before each of several

/** The hub sent what this page cannot read: most likely it is newer than the page. */
export class ProtocolError extends Error {}

/**
 * @param {string} text
 * @returns {TextMessage}
 */
export function parseText(text) {
  const message = JSON.parse(text);
  if (typeof message?.type !== "string") {
    throw new ProtocolError(`message is ${text.slice(0, 32)}, want an object with a type`);
  }
  return message;
}

/**
 * Read one frame, or several that came together.
 * @param {ArrayBuffer} buffer
 * @returns {Frame[]}
 */
export function parseFrames(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < COUNT_BYTES || view.getUint8(1) !== KIND_FRAMES) {
    return [parseFrame(buffer, 0, buffer.byteLength)];
  }
  const frames = [];
  let at = COUNT_BYTES;
  for (let left = view.getUint16(2, true); left; left--) {
    const size = at + SIZE_BYTES <= buffer.byteLength ? view.getUint32(at, true) : 0;
    frames.push(parseFrame(buffer, at + SIZE_BYTES, size));
    at += SIZE_BYTES + size;
  }
  return frames;
}

/**
 * @param {ArrayBuffer} buffer
 * @param {number} at
 * @param {number} size of header and JPEG
 * @returns {Frame}
 */
function parseFrame(buffer, at, size) {
  if (size <= HEADER_BYTES || at + size > buffer.byteLength) {
    throw new ProtocolError(`frame is ${size} bytes, want more than ${HEADER_BYTES}`);
  }
  const view = new DataView(buffer, at, size);
  const [version, kind] = [view.getUint8(0), view.getUint8(1)];
  if (version !== VERSION || kind !== KIND_FRAME) {
    throw new ProtocolError(`frame is version ${version}, kind ${kind}, want 1 and 1`);
  }
  const uncertaintyMs = view.getFloat64(16, true);
  return {
    tile: view.getUint16(2, true),
    number: view.getUint32(4, true),
    capturedMs: view.getFloat64(8, true) || null,
    uncertaintyMs: uncertaintyMs < 0 ? null : uncertaintyMs,
    jpeg: new Uint8Array(buffer, at + HEADER_BYTES, size - HEADER_BYTES),
  };
}

/**
 * All tiles that are visible now; it replaces the former list.
 * @param {Shown[]} tiles
 */
export function formatShow(tiles) {
  return JSON.stringify({ type: "show", tiles });
}

/**
 * What became of received frames. The hub keeps at most two of a tile unacknowledged, so
 * every frame is named exactly once, the skipped ones with null.
 * @param {Painted[]} frames
 */
export function formatPainted(frames) {
  return JSON.stringify({ type: "painted", frames });
}

/** @param {number} sentMs */
export function formatPing(sentMs) {
  return JSON.stringify({ type: "ping", sent_ms: sentMs });
}
