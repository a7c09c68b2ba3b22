/**
 * Which tiles the hub shall send. Says so only when that changes.
 * @module
 */

import { formatShow, MAX_SHOWN } from "./message.js";

/** @typedef {import("./tile.js").Tile} Tile */

/** The last list, so that it can be told again to a hub that was restarted. */
export class Demand {
  #send;
  #text = formatShow([]);

  /** @param {(text: string) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {Tile[]} tiles that someone sees now
   * @param {(tile: Tile) => import("./sizes.js").Size} sizeOf each, in pixels of the display
   */
  update(tiles, sizeOf) {
    const shown = tiles
      .slice(0, MAX_SHOWN)
      .map((tile) => ({ tile: tile.number, camera: tile.id, ...sizeOf(tile) }));
    const text = formatShow(shown);
    if (text === this.#text) return;
    this.#text = text;
    this.renew();
  }

  /** Tell it to a new connection. */
  renew() {
    this.#send(this.#text);
  }
}
