/**
 * Divides a wall that is too large for its screen into sheets that are not. Pure functions.
 * @module
 */

/** @typedef {import("./board.js").Section} Section */

/**
 * The fewest sheets that fit, with as many tiles on each, give or take one. A group that goes on
 * has its heading there too. The search begins at the last count, which mostly is still the one.
 * @param {Section[]} sections
 * @param {(sections: Section[]) => boolean} fits
 * @param {number} last count of sheets
 * @returns {Section[][]} at least one
 */
export function sheetsOf(sections, fits, last) {
  const all = sections.reduce((sum, { tiles, isFolded }) => sum + (isFolded ? 0 : tiles.length), 0);
  const most = Math.max(1, all);
  /** @param {number} count */
  const isEnough = (count) => cut(sections, all, count).every(fits);
  let count = Math.min(last, most);
  while (count > 1 && isEnough(count - 1)) count -= 1;
  while (count < most && !isEnough(count)) count += 1;
  return cut(sections, all, count);
}

/**
 * @param {Section[]} sections
 * @param {number} all tiles
 * @param {number} count of sheets
 */
function cut(sections, all, count) {
  return Array.from({ length: count }, (_, sheet) => {
    const [from, to] = [sheet, sheet + 1].map((number) => Math.floor((number * all) / count));
    let before = 0;
    return sections.flatMap((section) => {
      if (section.isFolded) return sheet ? [] : [section];
      const [first, last] = [from - before, to - before];
      before += section.tiles.length;
      const tiles = section.tiles.slice(Math.max(0, first), Math.max(0, last));
      return tiles.length ? [{ ...section, tiles }] : [];
    });
  });
}
