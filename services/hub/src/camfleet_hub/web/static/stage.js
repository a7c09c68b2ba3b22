/**
 * One tile over the whole screen. The page goes fullscreen, not the tile, so that the next
 * tile needs no new permission; where a browser refuses, the tile fills the window.
 * @module
 */

/** @typedef {import("./tile.js").Tile} Tile */

/** At most one tile is on it. */
export class Stage {
  /** @type {Tile | null} */
  tile = null;

  #bar;
  #onChange;

  /**
   * @param {HTMLElement} bar its buttons
   * @param {() => void} onChange
   */
  constructor(bar, onChange) {
    this.#bar = bar;
    this.#onChange = onChange;
    document.addEventListener("fullscreenchange", () => this.#follow());
  }

  /** @param {Tile} tile */
  show(tile) {
    if (this.tile === tile) return;
    // Without a person's hand in it, as when the address named it, no browser allows that.
    if (!this.tile && navigator.userActivation?.isActive !== false) this.#enter();
    this.#put(tile);
    tile.button.focus();
  }

  close() {
    const tile = this.tile;
    if (!tile) return;
    this.#put(null);
    if (document.fullscreenElement) void document.exitFullscreen();
    tile.button.focus();
  }

  /** @param {Tile | null} tile */
  #put(tile) {
    this.tile?.element.classList.remove("staged");
    tile?.element.classList.add("staged");
    this.tile = tile;
    this.#bar.hidden = !tile;
    document.body.classList.toggle("has-stage", Boolean(tile));
    this.#onChange();
  }

  #enter() {
    // Refused in a frame without permission, and unknown to an iPhone: filling will do.
    document.documentElement.requestFullscreen?.().catch(() => {});
  }

  /** The Escape key leaves fullscreen without telling the page anything else. */
  #follow() {
    if (!document.fullscreenElement) this.close();
    else if (!this.tile) void document.exitFullscreen(); // closed before it had opened
  }
}
