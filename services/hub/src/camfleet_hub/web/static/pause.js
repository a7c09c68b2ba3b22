/**
 * Which pictures stand still: one camera's, or those of the whole wall; each is said, too.
 * @module
 */

import { browserMs } from "./clock.js";
import { say } from "./speech.js";

/** @typedef {import("./tile.js").Tile} Tile */

/** Acts on tiles; the page follows. */
export class Pause {
  /** Whether the whole wall stands still, and so a camera that comes to it. */
  isWhole = false;

  #button = /** @type {HTMLElement} */ (document.getElementById("pause"));
  #fleet;
  #onChange;

  /**
   * @param {import("./fleet.js").Fleet} fleet
   * @param {() => void} onChange
   */
  constructor(fleet, onChange) {
    this.#fleet = fleet;
    this.#onChange = onChange;
  }

  /** @param {Tile} tile */
  toggle(tile) {
    const isOn = !tile.isPaused;
    tile.pause(isOn, browserMs());
    say(`${tile.spoken}: ${isOn ? "paused" : "live"}`);
    this.#onChange();
  }

  toggleAll() {
    this.isWhole = !this.isWhole;
    this.#button.textContent = this.isWhole ? "Resume" : "Pause";
    for (const tile of this.#fleet.tiles) tile.pause(this.isWhole, browserMs());
    say(this.isWhole ? "all paused" : "all live");
    this.#onChange();
  }
}
