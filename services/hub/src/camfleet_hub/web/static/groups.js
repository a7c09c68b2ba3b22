/**
 * Divides the wall: by node, by state or not at all. Pure functions on tiles.
 * @module
 */

/** @typedef {import("./tile.js").Tile} Tile */

/**
 * @typedef {object} Group
 * @property {string} key kept where it is folded
 * @property {string} title empty where there is no heading
 * @property {Tile[]} tiles
 */

const STATES = ["rejected", "stale", "offline", "online"]; // what wants a look comes first

/**
 * @param {Tile[]} tiles in their order, which holds within a group
 * @param {string} by `node` or `state`; anything else is one group without a heading
 * @returns {Group[]}
 */
export function grouped(tiles, by) {
  if (by !== "node" && by !== "state") return [{ key: "", title: "", tiles }];
  /** @type {Map<string, Tile[]>} */
  const byTitle = new Map(by === "state" ? STATES.map((state) => [state, []]) : []);
  for (const tile of tiles) {
    const found = byTitle.get(tile[by]);
    if (found) found.push(tile);
    else byTitle.set(tile[by], [tile]);
  }
  return [...byTitle]
    .filter(([, members]) => members.length)
    .map(([title, members]) => ({ key: `${by}:${title}`, title, tiles: members }));
}
