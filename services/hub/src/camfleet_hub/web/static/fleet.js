/**
 * The tiles of all cameras in the fleet. Knows nothing of the link, nor where they stand.
 * @module
 */

import { Tile } from "./tile.js";

/** @typedef {import("./message.js").Camera} Camera */

const TILE_NUMBERS = 65536; // a tile's number is 16 bits in a frame's header

/** Owns the tiles: makes one when a camera appears, and closes it when the camera is gone. */
export class Fleet {
  /** @type {Camera[]} */
  cameras = [];

  #painter;
  /** @type {Map<string, Tile>} */
  #byCamera = new Map();
  /** @type {Map<number, Tile>} */
  #byNumber = new Map();
  #next = 0;

  /** @param {import("./painter.js").Painter} painter */
  constructor(painter) {
    this.#painter = painter;
  }

  /** All tiles in the hub's order. */
  get tiles() {
    return [...this.#byCamera.values()];
  }

  /** @param {string} id */
  ofCamera(id) {
    return this.#byCamera.get(id);
  }

  /** @param {number} number */
  ofNumber(number) {
    return this.#byNumber.get(number);
  }

  /**
   * @param {Camera[]} cameras all there are
   * @param {number} nowMs
   * @returns {{added: Tile[], removed: Tile[]}}
   */
  update(cameras, nowMs) {
    this.cameras = cameras;
    const before = this.#byCamera;
    this.#byCamera = new Map(
      cameras.map((camera) => [camera.id, before.get(camera.id) ?? this.#add(camera, nowMs)]),
    );
    for (const camera of cameras) this.#byCamera.get(camera.id)?.update(camera, nowMs);
    const added = this.tiles.filter(({ id }) => !before.has(id));
    const removed = [...before.values()].filter(({ id }) => !this.#byCamera.has(id));
    for (const tile of removed) this.#remove(tile);
    return { added, removed };
  }

  /**
   * @param {Camera} camera
   * @param {number} nowMs
   */
  #add(camera, nowMs) {
    // Not the number of a camera that just left: its last frames may still be on their way.
    while (this.#byNumber.has(this.#next)) this.#next = (this.#next + 1) % TILE_NUMBERS;
    const tile = new Tile(this.#next, camera, this.#painter, nowMs);
    this.#byNumber.set(tile.number, tile);
    this.#next = (this.#next + 1) % TILE_NUMBERS;
    return tile;
  }

  /** @param {Tile} tile */
  #remove(tile) {
    this.#byNumber.delete(tile.number);
    tile.close();
  }
}
