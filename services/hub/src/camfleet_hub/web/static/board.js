/**
 * Which tiles stand on the wall, in which order, size and group: the hub's cameras, and what a
 * person made of them. What it decides is kept by camera, so cameras may come and go.
 * @module
 */

import { grouped } from "./groups.js";
import { Heading } from "./heading.js";
import { arranged, merged, moved } from "./order.js";
import { matches } from "./query.js";

/** @typedef {import("./tile.js").Tile} Tile */
/** @typedef {import("./groups.js").Group & {isFolded: boolean, heading: HTMLElement | null}} Section */

/** Owns the headings, and the places of all tiles in their list. */
export class Board {
  /** @type {Tile[]} that stand on the wall, in their order */
  tiles = [];
  /** @type {Section[]} */
  sections = [];
  /** Whether hidden cameras are shown for now. */
  showsHidden = false;
  /** How many cameras are hidden. */
  hiddenCount = 0;

  #list;
  #preferences;
  #onFold;
  #cut;
  /** @type {string[]} all there are, in their order */
  #order = [];
  /** @type {Map<string, Heading>} */
  #headings = new Map();

  /**
   * @param {HTMLElement} list holds headings and tiles
   * @param {import("./preferences.js").Preferences} preferences
   * @param {() => void} onFold
   * @param {(all: Section[]) => Section[]} cut leaves what stands on the wall now
   */
  constructor(list, preferences, onFold, cut) {
    this.#list = list;
    this.#preferences = preferences;
    this.#onFold = onFold;
    this.#cut = cut;
  }

  /**
   * @param {Tile[]} tiles all there are, in the hub's order
   * @param {string} search
   * @param {string} by how to group
   */
  arrange(tiles, search, by) {
    const byId = new Map(tiles.map((tile) => [tile.id, tile]));
    this.#order = arranged(this.#preferences.list("order"), [...byId.keys()]);
    this.#reveal(tiles);
    const hidden = new Set(this.#preferences.list("hidden"));
    const found = this.#order.flatMap((id) => byId.get(id) ?? []);
    const wanted = found.filter((tile) => matches(search, tile));
    const shown = wanted.filter(({ id }) => this.showsHidden || !hidden.has(id));
    const folded = new Set(this.#preferences.list("folded"));
    this.hiddenCount = tiles.filter(({ id }) => hidden.has(id)).length;
    const sections = grouped(shown, by).map((group) => {
      const isFolded = folded.has(group.key);
      return { ...group, isFolded, heading: this.#headingOf(group, isFolded) };
    });
    this.#dress(tiles, hidden);
    this.sections = this.#cut(sections); // by the sizes that the tiles were just given
    this.tiles = this.sections.flatMap(({ tiles: all, isFolded }) => (isFolded ? [] : all));
    this.#show(tiles);
    this.#place(found, sections);
  }

  /**
   * Put a tile where another stands.
   * @param {Tile} tile
   * @param {Tile} target
   */
  move(tile, target) {
    const order = moved(this.#order, tile.id, target.id);
    this.#preferences.setList("order", merged(order, this.#preferences.list("order")));
  }

  /** @param {Tile} tile that becomes double, or no longer is */
  resize(tile) {
    this.#toggle("double", tile.id);
  }

  /** @param {Tile} tile that is hidden, or no longer is */
  hide(tile) {
    this.#toggle("hidden", tile.id);
  }

  /** The hub's order, and all tiles of one size. */
  reset() {
    this.#preferences.setList("order", []);
    this.#preferences.setList("double", []);
  }

  /** The kept order, to be put back where a person thinks better of it. */
  get order() {
    return this.#preferences.list("order");
  }

  set order(ids) {
    this.#preferences.setList("order", ids);
  }

  /**
   * @param {string} name of a list of preferences
   * @param {string} item
   */
  #toggle(name, item) {
    const items = this.#preferences.list(name);
    const without = items.filter((other) => other !== item);
    this.#preferences.setList(name, without.length < items.length ? without : [...items, item]);
  }

  /**
   * A camera was hidden because it was dead; one that lives again is worth a look.
   * @param {Tile[]} tiles
   */
  #reveal(tiles) {
    const hidden = this.#preferences.list("hidden");
    const alive = new Set(tiles.filter(({ state }) => state === "online").map(({ id }) => id));
    const dead = hidden.filter((id) => !alive.has(id));
    if (dead.length < hidden.length) this.#preferences.setList("hidden", dead);
  }

  /**
   * @param {Tile[]} tiles
   * @param {Set<string>} hidden
   */
  #dress(tiles, hidden) {
    const double = new Set(this.#preferences.list("double"));
    for (const tile of tiles) {
      tile.dress({ isDouble: double.has(tile.id), isHidden: hidden.has(tile.id) });
    }
  }

  /** @param {Tile[]} tiles */
  #show(tiles) {
    const shown = new Set(this.tiles);
    for (const tile of tiles) tile.element.hidden = !shown.has(tile) && !tile.isStaged;
  }

  /**
   * Move only what is out of place. An element that is moved loses the focus, so it gets it back.
   * @param {Tile[]} all those that are not shown keep their place for a search that ends
   * @param {Section[]} sections likewise, for a sheet that is turned
   */
  #place(all, sections) {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const sequence = sections.flatMap(({ heading, tiles }) => [
      ...(heading ? [heading] : []),
      ...tiles.map(({ element }) => element),
    ]);
    const placed = new Set(sequence);
    sequence.push(...all.map(({ element }) => element).filter((one) => !placed.has(one)));
    this.#discard(new Set(sections.map(({ key }) => key)));
    const headed = new Set(this.sections.map(({ heading }) => heading));
    for (const { heading } of sections) if (heading) heading.hidden = !headed.has(heading);
    let place = this.#list.firstElementChild;
    for (const element of sequence) {
      if (element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(element, place);
    }
    if (focused !== document.activeElement && focused?.isConnected) {
      focused.focus({ preventScroll: true });
    }
  }

  /**
   * @param {import("./groups.js").Group} group
   * @param {boolean} isFolded
   */
  #headingOf({ key, title, tiles }, isFolded) {
    if (!title) return null;
    const heading = this.#headings.get(key) ?? new Heading(() => this.#fold(key));
    this.#headings.set(key, heading);
    const online = tiles.filter(({ state }) => state === "online").length;
    heading.tell(title, { online, all: tiles.length }, isFolded);
    return heading.element;
  }

  /** @param {Set<string>} keys of the headings that stay */
  #discard(keys) {
    for (const [key, { element }] of this.#headings) {
      if (keys.has(key)) continue;
      element.remove();
      this.#headings.delete(key);
    }
  }

  /** @param {string} key */
  #fold(key) {
    this.#toggle("folded", key);
    this.#onFold();
  }
}
