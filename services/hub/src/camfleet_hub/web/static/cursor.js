/**
 * The one tile that the Tab key reaches and the arrows move (ARIA's roving tabindex), so that
 * a fleet of two hundred is one stop on the way through the page.
 * @module
 */

/** @typedef {import("./tile.js").Tile} Tile */

/** Points at a tile, while there are any. */
export class Cursor {
  /** @type {Tile | null} */
  tile = null;

  /** @param {Tile | null} tile */
  set(tile) {
    if (this.tile === tile) return;
    this.tile?.setCurrent(false);
    tile?.setCurrent(true);
    this.tile = tile;
  }

  /**
   * Stay where it is, or go to the first tile where its own is gone or filtered away.
   * @param {Tile[]} tiles
   */
  settle(tiles) {
    if (!this.tile || !tiles.includes(this.tile)) this.set(tiles[0] ?? null);
  }

  /**
   * The tile so many steps on, or the present one at the end of the row.
   * @param {Tile[]} tiles
   * @param {number} steps
   */
  ahead(tiles, steps) {
    const from = this.tile ? tiles.indexOf(this.tile) : -1;
    return tiles[from + steps] ?? this.tile;
  }
}
