/**
 * One tile's canvas: decodes the newest frame, and paints it when asked. Keeps at most one
 * frame that waits, one that is being decoded and one that is ready.
 * @module
 */

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
  /** @type {{received: Received, bitmap: ImageBitmap} | null} */
  #ready = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string} camera its id, for the event
   * @param {import("./painter.js").Painter} painter
   */
  constructor(canvas, camera, painter) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
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
    const { received, bitmap } = this.#ready;
    this.#ready = null;
    this.#draw(bitmap);
    const paintedMs = nowMs();
    this.#tell(received.frame, paintedMs);
    return { received, paintedMs };
  }

  /** Give up the ready picture and return what it was. */
  discard() {
    const ready = this.#ready;
    this.#ready = null;
    ready?.bitmap.close();
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
    // Pixels as they were encoded: a colour profile would cost time and change a time code.
    const decoded = createImageBitmap(received.frame.jpeg, { colorSpaceConversion: "none" });
    const bitmap = await decoded.catch(() => null);
    this.#isDecoding = false;
    this.#offer(received, bitmap);
    this.#decode();
  }

  /**
   * @param {Received} received
   * @param {ImageBitmap | null} bitmap null where it is not a picture
   */
  #offer(received, bitmap) {
    this.isBroken = !bitmap;
    if (!bitmap || this.#isClosed) {
      bitmap?.close();
      return this.#painter.skip(received);
    }
    const older = this.discard();
    if (older) this.#painter.skip(older);
    this.#ready = { received, bitmap };
    this.#painter.add(this);
  }

  /** @param {ImageBitmap} bitmap */
  #draw(bitmap) {
    const canvas = this.#canvas;
    // Setting a size clears the canvas and makes a new buffer, also when it stays the same.
    if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
    if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
    this.#context?.drawImage(bitmap, 0, 0);
    bitmap.close();
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
