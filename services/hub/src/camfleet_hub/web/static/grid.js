/**
 * How many columns, and how high the rows: the largest pictures that fill the window.
 * Pure arithmetic on pixels; never touches the page.
 * @module
 */

export const GAP = 6;
const STRIP = 30; // a tile's caption in one line; wall.css has the same numbers
const STRIP_NARROW = 48; // in two lines
const STRIP_TINY = 62; // in three
const HEADING = 34; // of a group
const NARROW = 520; // below that, name and numbers have no room beside each other
const TINY = 280; // below that, the numbers have none either
const MIN_TILE = 144; // below that, nobody sees what happens: the wall scrolls instead
const SCROLLED = 240; // a tile's least width on a wall that scrolls anyway
const WIDE = 16 / 9;
const OLD = 4 / 3;

/**
 * @typedef {object} Grid
 * @property {number} columns
 * @property {number} rowPx
 * @property {boolean} isNarrow the caption has two lines
 * @property {boolean} isTiny or three
 */

/**
 * What stands below one heading.
 * @typedef {object} Shape
 * @property {boolean} hasHeading
 * @property {(1 | 2)[]} spans how many columns and rows each tile takes, in their order
 */

/**
 * The shape that most of the cameras have. Others are letterboxed.
 * @param {{width: number | null, height: number | null}[]} cameras
 */
export function aspectOf(cameras) {
  const known = cameras.flatMap(({ width, height }) => (width && height ? [width / height] : []));
  const median = known.sort((a, b) => a - b)[known.length >> 1] ?? WIDE;
  return Math.min(WIDE, Math.max(OLD, median));
}

/**
 * @param {Shape[]} shapes
 * @param {number} width of the wall
 * @param {number} height of the wall
 * @param {number} aspect of the pictures
 * @returns {Grid}
 */
export function fit(shapes, width, height, aspect) {
  const cells = shapes.flatMap(({ spans }) => spans).reduce((sum, span) => sum + span, 0);
  const most = Math.max(1, Math.min(cells, Math.floor((width - GAP) / (MIN_TILE + GAP))));
  const all = Array.from({ length: most }, (_, i) => filled(i + 1, shapes, width, height, aspect));
  const best = all.reduce((a, b) => (b.picturePx > a.picturePx ? b : a));
  if (best.picturePx >= MIN_TILE) return best.grid;
  return fixed(Math.min(most, Math.max(2, Math.floor(width / SCROLLED))), width, aspect);
}

/**
 * As many columns as someone chose. Rows have the pictures' shape, and the wall scrolls.
 * @param {number} columns
 * @param {number} width
 * @param {number} aspect
 * @returns {Grid}
 */
export function fixed(columns, width, aspect) {
  const tile = tileWidth(columns, width);
  return gridOf(columns, Math.ceil(tile / aspect) + strip(tile), tile);
}

/**
 * How many rows tiles take, as the browser packs them (CSS Grid 1, 8.5): each in the first place
 * that is free, on a wall with headings behind the one before it.
 * @param {Shape} shape
 * @param {number} columns
 */
export function rowsOf({ spans, hasHeading }, columns) {
  if (columns === 1 || !spans.includes(2)) return Math.ceil(spans.length / columns);
  /** @type {Set<number>} */
  const taken = new Set();
  let [rows, from] = [0, 0];
  for (const span of spans) {
    const size = span === 2 ? [0, 1, columns, columns + 1] : [0];
    let at = from;
    while ((at % columns) + span > columns || size.some((step) => taken.has(at + step))) at += 1;
    for (const step of size) taken.add(at + step);
    if (hasHeading) from = at;
    rows = Math.max(rows, Math.floor(at / columns) + span);
  }
  return rows;
}

/**
 * @param {number} columns
 * @param {Shape[]} shapes
 * @param {number} width
 * @param {number} height
 * @param {number} aspect
 */
function filled(columns, shapes, width, height, aspect) {
  const rows = Math.max(1, shapes.reduce((sum, shape) => sum + rowsOf(shape, columns), 0));
  const headings = shapes.filter(({ hasHeading }) => hasHeading).length;
  const tile = tileWidth(columns, width);
  const share = Math.floor((height - GAP - headings * (HEADING + GAP)) / rows) - GAP;
  // A row higher than a 4:3 picture only moves the caption away from what it belongs to.
  const rowPx = Math.min(share, Math.ceil(tile / Math.min(aspect, OLD)) + strip(tile));
  const picturePx = Math.min(tile, (rowPx - strip(tile)) * aspect);
  return { picturePx, grid: gridOf(columns, rowPx, tile) };
}

/**
 * @param {number} columns
 * @param {number} rowPx
 * @param {number} tile
 * @returns {Grid}
 */
function gridOf(columns, rowPx, tile) {
  return { columns, rowPx, isNarrow: tile < NARROW, isTiny: tile < TINY };
}

/**
 * @param {number} columns
 * @param {number} width
 */
function tileWidth(columns, width) {
  return (width - GAP) / columns - GAP;
}

/** @param {number} tile */
function strip(tile) {
  if (tile < TINY) return STRIP_TINY;
  return tile < NARROW ? STRIP_NARROW : STRIP;
}
