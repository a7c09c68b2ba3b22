/**
 * Carries a tile to another place: with a mouse anywhere on it, with a finger by its handle,
 * because elsewhere a finger scrolls. Where it may go, it asks.
 * @module
 */

/** @typedef {import("./tile.js").Tile} Tile */

const FARTHEST_CLICK_PX = 8; // a hand that clicks trembles
const EDGE_PX = 48; // nearer to the room's edge than that, it scrolls
const SCROLL_PX = 16;

/**
 * @typedef {object} Handlers
 * @property {(target: EventTarget | null) => Tile | null} find
 * @property {(tile: Tile) => void} onBegin
 * @property {(tile: Tile, target: Tile) => void} onOver
 * @property {(tile: Tile, isDone: boolean) => void} onEnd it was dropped, or given up
 */

/** At most one tile at a time. */
export class Drag {
  #list;
  #room;
  #handlers;
  /** @type {{tile: Tile, pointer: number, x: number, y: number} | null} */
  #held = null;
  /** @type {Tile | null} the one that is being carried, once the hand has moved */
  #carried = null;
  /** @type {Tile | null} */
  #over = null;

  /**
   * @param {HTMLElement} list of tiles
   * @param {HTMLElement} room that scrolls it
   * @param {Handlers} handlers
   */
  constructor(list, room, handlers) {
    this.#list = list;
    this.#room = room;
    this.#handlers = handlers;
    list.addEventListener("pointerdown", (event) => this.#hold(event));
    list.addEventListener("pointermove", (event) => this.#carry(event));
    list.addEventListener("pointerup", () => this.#drop(true));
    list.addEventListener("pointercancel", () => this.#drop(false));
  }

  /**
   * Put it back; for the Escape key.
   * @returns {boolean} whether there was one
   */
  cancel() {
    const isCarrying = Boolean(this.#carried);
    this.#drop(false);
    return isCarrying;
  }

  /** @param {PointerEvent} event */
  #hold(event) {
    const target = /** @type {Element} */ (event.target);
    const grip = event.pointerType === "mouse" ? ".open, .move" : ".move";
    if (event.button || !event.isPrimary || !target.closest(grip)) return;
    const tile = this.#handlers.find(target);
    const { pointerId: pointer, clientX: x, clientY: y } = event;
    if (tile && !tile.isStaged) this.#held = { tile, pointer, x, y };
  }

  /** @param {PointerEvent} event */
  #carry({ pointerId, buttons, clientX, clientY }) {
    if (this.#held?.pointer !== pointerId) return;
    if (!buttons) return this.#drop(false); // it let go beside the list, which hears nothing of that
    const { tile, x, y } = this.#held;
    if (!this.#carried) {
      if (Math.hypot(clientX - x, clientY - y) < FARTHEST_CLICK_PX) return;
      this.#begin(tile, pointerId);
    }
    this.#scroll(clientY);
    const over = this.#handlers.find(document.elementFromPoint(clientX, clientY));
    if (over === this.#over) return;
    this.#over = over; // what came under the hand by moving is not where the hand went
    if (over && over !== tile) this.#handlers.onOver(tile, over);
  }

  /**
   * The list gets what follows: the tile itself leaves its place in the page.
   * @param {Tile} tile
   * @param {number} pointer
   */
  #begin(tile, pointer) {
    this.#carried = this.#over = tile;
    this.#list.setPointerCapture(pointer);
    tile.element.classList.add("carried");
    this.#handlers.onBegin(tile);
  }

  /** @param {number} y */
  #scroll(y) {
    const { top, bottom } = this.#room.getBoundingClientRect();
    if (y < top + EDGE_PX) this.#room.scrollBy(0, -SCROLL_PX);
    if (y > bottom - EDGE_PX) this.#room.scrollBy(0, SCROLL_PX);
  }

  /** @param {boolean} isDone */
  #drop(isDone) {
    const tile = this.#carried;
    const pointer = this.#held?.pointer;
    this.#held = this.#carried = this.#over = null;
    if (!tile) return;
    if (pointer !== undefined && this.#list.hasPointerCapture(pointer)) {
      this.#list.releasePointerCapture(pointer);
    }
    tile.element.classList.remove("carried");
    this.#handlers.onEnd(tile, isDone);
  }
}
