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
 * @property {number | null} latency_ms capture to hub
 * @property {number | null} uncertainty_ms of that latency
 * @property {number | null} age_ms of its newest picture; null before the first one
 * @property {number | null} width
 * @property {number | null} height
 * @property {("motion" | "dark")[]} [marks] what its detectors find now
 * @property {Rejection | null} [rejection] what of it the hub rejected last, if that was just now
 */

/** @typedef {{reason: string, problem: string, age_ms: number}} Rejection in words */
/** @typedef {Rejection & {sender: string}} Refused of a sender without a tile */

/** @typedef {{nodes: number, imagezmq: number}} Ports where cameras connect to */

/**
 * @typedef {object} FleetMessage
 * @property {"fleet"} type
 * @property {string} hub
 * @property {Camera[]} cameras
 * @property {Ports} [ports]
 * @property {string} [page] which version of this page the hub has
 * @property {Refused[]} [refused]
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
 * @property {Blob} jpeg
 */

/** @typedef {{tile: number, camera: string}} Shown */
/** @typedef {[tile: number, number: number, paintedMs: number | null]} Painted */

const VERSION = 1;
const KIND_FRAME = 1;
const HEADER_BYTES = 24;

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
 * @param {ArrayBuffer} buffer
 * @returns {Frame}
 */
export function parseFrame(buffer) {
  if (buffer.byteLength <= HEADER_BYTES) {
    throw new ProtocolError(`frame is ${buffer.byteLength} bytes, want more than ${HEADER_BYTES}`);
  }
  const view = new DataView(buffer);
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
    jpeg: new Blob([new Uint8Array(buffer, HEADER_BYTES)], { type: "image/jpeg" }),
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
