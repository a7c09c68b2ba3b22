/**
 * Divides a wall that is too large for its screen into pages that are not. Pure functions.
 * @module
 */

/** @typedef {import("./board.js").Section} Section */

/**
 * The fewest pages that fit, with as many tiles on each, give or take one. A group that goes on
 * has its heading there too.
 * @param {Section[]} sections
 * @param {(sections: Section[]) => boolean} fits
 * @returns {Section[][]} at least one
 */
export function paged(sections, fits) {
  const all = sections.reduce((sum, { tiles, isFolded }) => sum + (isFolded ? 0 : tiles.length), 0);
  for (let count = 1; count < all; count++) {
    const pages = cut(sections, all, count);
    if (pages.every(fits)) return pages;
  }
  return cut(sections, all, Math.max(1, all));
}

/**
 * @param {Section[]} sections
 * @param {number} all tiles
 * @param {number} count of pages
 */
function cut(sections, all, count) {
  return Array.from({ length: count }, (_, page) => {
    const [from, to] = [page, page + 1].map((number) => Math.floor((number * all) / count));
    let before = 0;
    return sections.flatMap((section) => {
      if (section.isFolded) return page ? [] : [section];
      const [first, last] = [from - before, to - before];
      before += section.tiles.length;
      const tiles = section.tiles.slice(Math.max(0, first), Math.max(0, last));
      return tiles.length ? [{ ...section, tiles }] : [];
    });
  });
}
