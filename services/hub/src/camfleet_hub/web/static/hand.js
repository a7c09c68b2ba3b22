/**
 * What a person makes of the wall: order, sizes, hidden cameras; each is said, too.
 * @module
 */

import { say } from "./speech.js";

/** @typedef {import("./tile.js").Tile} Tile */

/** Acts on the board; the page follows. */
export class Hand {
  #board;
  #onChange;
  /** @type {string[]} the order before a tile was lifted */
  #orderBefore = [];

  /**
   * @param {import("./board.js").Board} board
   * @param {() => void} onChange
   */
  constructor(board, onChange) {
    this.#board = board;
    this.#onChange = onChange;
  }

  /** Remember the order, for a hand that thinks better of it. */
  lift() {
    this.#orderBefore = this.#board.order;
  }

  /**
   * @param {Tile} tile
   * @param {Tile} target where it shall stand
   */
  place(tile, target) {
    this.#board.move(tile, target);
    this.#onChange();
  }

  /**
   * @param {Tile} tile that was carried
   * @param {boolean} isDone
   */
  land(tile, isDone) {
    if (isDone) return this.tellPlace(tile);
    this.#board.order = this.#orderBefore;
    this.#onChange();
  }

  /** @param {Tile} tile */
  tellPlace(tile) {
    const { tiles } = this.#board;
    say(`${tile.spoken}: place ${tiles.indexOf(tile) + 1} of ${tiles.length}`);
  }

  /** @param {Tile} tile */
  resize(tile) {
    this.#board.resize(tile);
    this.#onChange();
    say(`${tile.spoken}: ${tile.span === 2 ? "double" : "normal"} size`);
  }

  /** @param {Tile} tile that is hidden, or no longer is */
  hide(tile) {
    if (tile.state === "online") return say(`${tile.spoken} is online, and stays`);
    this.#board.hide(tile);
    this.#onChange();
    say(tile.element.hidden ? `${tile.spoken}: hidden` : `${tile.spoken}: shown`);
  }

  toggleHidden() {
    this.#board.showsHidden = !this.#board.showsHidden;
    this.#onChange();
  }

  reset() {
    this.#board.reset();
    this.#onChange();
    say("the hub's order, all of one size");
  }
}
