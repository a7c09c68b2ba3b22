/**
 * Where an arrow key leads: to the tile beside, above or below, and at the end of a sheet to the
 * next one.
 * @module
 */

import { neighbour } from "./neighbour.js";

/** @typedef {import("./tile.js").Tile} Tile */

/** Moves nothing itself. */
export class Walk {
  #board;
  #cursor;
  #turn;

  /**
   * @param {import("./board.js").Board} board
   * @param {import("./cursor.js").Cursor} cursor
   * @param {(step: number) => boolean} turn whether there was another sheet, which is shown now
   */
  constructor(board, cursor, turn) {
    this.#board = board;
    this.#cursor = cursor;
    this.#turn = turn;
  }

  /**
   * The tile to go to, on another sheet if need be.
   * @param {number} columns
   * @param {number} rows
   * @param {boolean} isStaged then there is only one way, along the order
   * @returns {Tile | null}
   */
  next(columns, rows, isStaged) {
    const step = columns + rows;
    const tile = isStaged ? this.#cursor.ahead(this.#board.tiles, step) : this.beside(columns, rows);
    if (tile !== this.#cursor.tile || !this.#turn(step)) return tile;
    return (step > 0 ? this.#board.tiles[0] : this.#board.tiles.at(-1)) ?? null;
  }

  /**
   * The tile beside the present one, or that itself at the edge.
   * @param {number} columns
   * @param {number} rows
   * @returns {Tile | null}
   */
  beside(columns, rows) {
    const { tiles } = this.#board;
    const from = this.#cursor.tile;
    if (!rows || !from) return this.#cursor.ahead(tiles, columns);
    const boxes = tiles.map(({ element }) => element.getBoundingClientRect());
    return tiles[neighbour(boxes, tiles.indexOf(from), rows)] ?? from;
  }
}
