/**
 * One tile's canvas: decodes the newest frame, and paints it when asked. Keeps at most one
 * frame that waits, one that is being decoded and one that is ready.
 * @module
 */

import { decode } from "./decode.js";

/** @typedef {import("./decode.js").Picture} Picture */
/** @typedef {import("./message.js").Frame} Frame */
/** @typedef {{frame: Frame, connection: number}} Received */

/**
 * What the `painted` event tells.
 * @typedef {object} PaintedDetail
 * @property {string} camera its id
 * @property {number} number
 * @property {number | null} capturedMs Unix ms on the hub's clock, as the next one
 * @property {number | null} paintedMs
 * @property {number | null} uncertaintyMs of capturedMs
 */

/** Its canvas is as large as the frame, so that a program reads exactly the frame's pixels. */
export class Screen {
  /** Whether the newest decoded frame was not a picture. */
  isBroken = false;
  hasPicture = false;

  #canvas;
  #context;
  #camera;
  #painter;
  #isDecoding = false;
  #isClosed = false;
  /** @type {Received | null} */
  #waiting = null;
  /** @type {{received: Received, picture: Picture} | null} */
  #ready = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string} camera its id, for the event
   * @param {import("./painter.js").Painter} painter
   */
  constructor(canvas, camera, painter) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.#camera = camera;
    this.#painter = painter;
  }

  /** @param {Received} received */
  take(received) {
    if (this.#waiting) this.#painter.skip(this.#waiting);
    this.#waiting = received;
    this.#decode();
  }

  /**
   * Paint the ready picture.
   * @param {() => number | null} nowMs on the hub's clock
   * @returns {{received: Received, paintedMs: number | null} | null}
   */
  paint(nowMs) {
    if (!this.#ready) return null;
    const { received, picture } = this.#ready;
    this.#ready = null;
    this.#draw(picture);
    const paintedMs = nowMs();
    this.#tell(received.frame, paintedMs);
    return { received, paintedMs };
  }

  /** Give up the ready picture and return what it was. */
  discard() {
    const ready = this.#ready;
    this.#ready = null;
    ready?.picture.close();
    return ready?.received ?? null;
  }

  /** Its camera is gone. What still arrives is acknowledged, and not painted. */
  close() {
    this.#isClosed = true;
    const discarded = this.discard();
    if (discarded) this.#painter.skip(discarded);
    if (this.#waiting) this.#painter.skip(this.#waiting);
    this.#waiting = null;
  }

  async #decode() {
    if (this.#isDecoding || !this.#waiting) return;
    const received = this.#waiting;
    this.#waiting = null;
    this.#isDecoding = true;
    const picture = await decode(received.frame.jpeg).catch(() => null);
    this.#isDecoding = false;
    this.#offer(received, picture);
    this.#decode();
  }

  /**
   * @param {Received} received
   * @param {Picture | null} picture null where it is not a picture
   */
  #offer(received, picture) {
    this.isBroken = !picture;
    if (!picture || this.#isClosed) {
      picture?.close();
      return this.#painter.skip(received);
    }
    const older = this.discard();
    if (older) this.#painter.skip(older);
    this.#ready = { received, picture };
    this.#painter.add(this);
  }

  /** @param {Picture} picture */
  #draw(picture) {
    const canvas = this.#canvas;
    const [width, height] = sizeOf(picture);
    // Setting a size clears the canvas and makes a new buffer, also when it stays the same.
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    this.#context?.drawImage(picture, 0, 0);
    picture.close();
    this.hasPicture = true;
  }

  /**
   * Tests and benchmarks listen to it.
   * @param {Frame} frame
   * @param {number | null} paintedMs
   */
  #tell(frame, paintedMs) {
    const { number, capturedMs, uncertaintyMs } = frame;
    /** @type {PaintedDetail} */
    const detail = { camera: this.#camera, number, capturedMs, paintedMs, uncertaintyMs };
    this.#canvas.dispatchEvent(new CustomEvent("painted", { detail, bubbles: true }));
  }
}

/**
 * @param {Picture} picture
 * @returns {[number, number]}
 */
function sizeOf(picture) {
  if (picture instanceof ImageBitmap) return [picture.width, picture.height];
  return [picture.displayWidth, picture.displayHeight];
}
