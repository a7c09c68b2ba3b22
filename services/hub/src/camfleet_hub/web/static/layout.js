/**
 * Lays the tiles out in their list. What is best, grid.js decides.
 * @module
 */

import { aspectOf, fit, heightOf, LEAST_PICTURE, scrolled } from "./grid.js";

/** @typedef {import("./board.js").Section} Section */
/** @typedef {import("./grid.js").Grid} Grid */
/** @typedef {import("./pack.js").Shape} Shape */

const MOST_KNOWN = 256; // a kiosk asks for each of its sheets, and for those that would be too few

/** The list of tiles as a grid. */
export class Layout {
  #room;
  #list;
  /** @type {Map<string, Grid>} the hub tells of the fleet every second, and little of it is new */
  #known = new Map();

  /**
   * @param {HTMLElement} room that the list may fill
   * @param {HTMLElement} list of tiles
   */
  constructor(room, list) {
    this.#room = room;
    this.#list = list;
  }

  /**
   * @param {Section[]} sections of the wall
   * @param {number | null} chosen columns; null for the best
   * @param {boolean} mayScroll where the tiles would become too small
   */
  arrange(sections, chosen, mayScroll) {
    const grid = this.#gridOf(sections, chosen, mayScroll ? LEAST_PICTURE : 1);
    this.#list.style.setProperty("--columns", String(grid.columns));
    this.#list.style.setProperty("--row", `${grid.rowPx}px`);
    this.#list.classList.toggle("single", grid.columns === 1);
    this.#list.dataset.caption = grid.caption;
    grid.shelves.boxes.forEach((box, i) => place(sections[i], box));
  }

  /**
   * Whether they would all be seen at once, and large enough.
   * @param {Section[]} sections
   * @param {number | null} chosen columns; null for the best
   */
  fits(sections, chosen) {
    return heightOf(this.#gridOf(sections, chosen, LEAST_PICTURE)) <= this.#room.clientHeight;
  }

  /**
   * @param {Section[]} sections
   * @param {number | null} chosen
   * @param {number} leastPx width of a picture
   */
  #gridOf(sections, chosen, leastPx) {
    const { clientWidth: width, clientHeight: height } = this.#room;
    const shapes = sections.map(shapeOf);
    const aspect = aspectOf(sections.flatMap(({ tiles }) => tiles.map(({ size }) => size)));
    const key = JSON.stringify([shapes, width, height, aspect, chosen, leastPx]);
    const best = () => (chosen ? null : fit(shapes, width, height, aspect, leastPx));
    const grid = this.#known.get(key) ?? best() ?? scrolled(shapes, chosen, width, height, aspect);
    this.#known.delete(key); // so that it becomes the newest
    this.#known.set(key, grid);
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.keys().next().value ?? "");
    return grid;
  }
}

/**
 * @param {Section} section
 * @returns {Shape}
 */
function shapeOf({ heading, tiles, isFolded }) {
  return { hasHeading: Boolean(heading), spans: isFolded ? [] : tiles.map((tile) => tile.span) };
}

/**
 * The page keeps its order for the keyboard and for who hears it: only the places are set.
 * @param {Section} section
 * @param {import("./pack.js").Box} box
 */
function place({ heading, tiles }, { column, line, width, places }) {
  if (heading) put(heading, `${line + 1} / ${column + 1} / auto / span ${width}`);
  const first = line + (heading ? 2 : 1);
  places.forEach(({ row, column: inside, span }, i) => {
    const area = `${first + row} / ${column + inside + 1} / span ${span} / span ${span}`;
    put(tiles[i].element, area);
  });
}

/**
 * @param {HTMLElement} element
 * @param {string} area
 */
function put(element, area) {
  if (element.dataset.area === area) return;
  element.dataset.area = area;
  element.style.gridArea = area;
}
