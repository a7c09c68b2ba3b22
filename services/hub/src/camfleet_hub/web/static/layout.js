/**
 * Lays the tiles out in their list. What is best, grid.js decides.
 * @module
 */

import { aspectOf, fit, fixed } from "./grid.js";

/** @typedef {import("./message.js").Camera} Camera */

/** The list of tiles as a grid. */
export class Layout {
  #room;
  #list;

  /**
   * @param {HTMLElement} room that the list may fill
   * @param {HTMLElement} list of tiles
   */
  constructor(room, list) {
    this.#room = room;
    this.#list = list;
  }

  /**
   * @param {import("./grid.js").Shape[]} shapes of the wall's groups
   * @param {Camera[]} cameras that have a tile in the list
   * @param {number | null} chosen columns; null for the best
   */
  arrange(shapes, cameras, chosen) {
    const { clientWidth: width, clientHeight: height } = this.#room;
    const aspect = aspectOf(cameras);
    const grid = chosen ? fixed(chosen, width, aspect) : fit(shapes, width, height, aspect);
    this.#list.style.setProperty("--columns", String(grid.columns));
    this.#list.style.setProperty("--row", `${grid.rowPx}px`);
    this.#list.classList.toggle("single", grid.columns === 1);
    this.#list.classList.toggle("narrow", grid.isNarrow);
    this.#list.classList.toggle("tiny", grid.isTiny);
  }
}
