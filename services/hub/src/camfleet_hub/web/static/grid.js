/**
 * How many columns, how high the rows, and which captions: the largest pictures that fill the
 * window. Pure arithmetic on pixels; never touches the page.
 * @module
 */

import { MAX_SHOWN } from "./message.js";
import { packer, shelved } from "./pack.js";

/** @typedef {import("./pack.js").Shape} Shape */
/** @typedef {import("./pack.js").Shelves} Shelves */

const GAP = 6;
const HEADING = 34; // of a group; the style sheets have the same numbers
export const LEAST_PICTURE = 90; // narrower than that, nobody sees what happens
const SCROLLED = 240; // a tile's least width on a wall that scrolls anyway
const MOST_COLUMNS = 48;
const MOST_DEPTH = 8; // rows of a shelf of groups
const WIDE = 16 / 9;
const OLD = 4 / 3;

/**
 * What a tile tells below its picture. A picture may be so much smaller for a fuller caption.
 * @typedef {object} Caption
 * @property {"line" | "two" | "three" | "brief" | "bare" | "stacked"} name captions.css says what each one shows
 * @property {number} heightPx
 * @property {number} leastPx width of a tile in which it is readable
 * @property {number} worth
 */

/** @type {Caption[]} the fullest first */
const CAPTIONS = [
  { name: "line", heightPx: 30, leastPx: 520, worth: 1.2 },
  { name: "two", heightPx: 40, leastPx: 280, worth: 1.2 },
  { name: "three", heightPx: 54, leastPx: 144, worth: 1.2 },
  { name: "brief", heightPx: 34, leastPx: 132, worth: 1.1 },
  { name: "bare", heightPx: 20, leastPx: 132, worth: 1 },
  { name: "stacked", heightPx: 34, leastPx: 0, worth: 1 },
];

/**
 * @typedef {object} Grid
 * @property {number} columns
 * @property {number} rowPx
 * @property {Caption["name"]} caption
 * @property {Shelves} shelves
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
 * All tiles in the window, as large as they can be.
 * @param {Shape[]} shapes
 * @param {number} width of the wall
 * @param {number} height of the wall
 * @param {number} aspect of the pictures
 * @param {number} leastPx width of a picture that is worth looking at
 * @returns {Grid | null} null where there is no room for that
 */
export function fit(shapes, width, height, aspect, leastPx) {
  const spans = shapes.flatMap((shape) => shape.spans);
  if (spans.length > MAX_SHOWN) return null; // those beyond would never get a picture
  const pack = packer();
  const gain = gainOf(spans);
  let best = null;
  let most = 0;
  for (let columns = 1; columns <= Math.max(1, Math.min(lengthOf(spans), MOST_COLUMNS)); columns++) {
    const tile = tileWidth(columns, width);
    const shelves = lowest(shapes, columns, tile / aspect, pack);
    const taken = GAP + shelves.headings * (HEADING + GAP);
    const share = Math.floor((height - taken) / Math.max(1, shelves.rows)) - GAP;
    for (const { name, heightPx, worth } of captionsOf(tile)) {
      const picture = Math.min(tile, (share - heightPx) * aspect);
      const value = picture * worth * (columns > 1 ? gain : 1); // one column has room for no double
      if (picture < leastPx || value <= most) continue;
      most = value;
      // A row higher than a 4:3 picture only moves the caption away from what it belongs to.
      const rowPx = Math.min(share, Math.ceil(tile / Math.min(aspect, OLD)) + heightPx);
      best = { columns, rowPx, caption: name, shelves };
    }
  }
  return best;
}

/**
 * As many columns as someone chose, or as a wall that scrolls can have. Rows have the pictures'
 * shape, and no tile is higher than the wall.
 * @param {Shape[]} shapes
 * @param {number | null} chosen columns
 * @param {number} width
 * @param {number} height
 * @param {number} aspect
 * @returns {Grid}
 */
export function scrolled(shapes, chosen, width, height, aspect) {
  const columns = chosen ?? Math.max(2, Math.floor(width / SCROLLED));
  const tile = tileWidth(columns, width);
  const [{ name, heightPx }] = captionsOf(tile);
  const heading = shapes.some(({ hasHeading }) => hasHeading) ? HEADING + GAP : 0;
  const mostPx = Math.max(LEAST_PICTURE, height - 2 * GAP - heading);
  const rowPx = Math.min(mostPx, Math.ceil(tile / aspect) + heightPx);
  return { columns, rowPx, caption: name, shelves: lowest(shapes, columns, rowPx, packer()) };
}

/**
 * The shelves that take the least height.
 * @param {Shape[]} shapes
 * @param {number} columns
 * @param {number} rowPx about
 * @param {typeof import("./pack.js").packed} pack
 */
function lowest(shapes, columns, rowPx, pack) {
  const deepest = Math.max(0, ...shapes.map(({ spans }) => lengthOf(spans)));
  const isGrouped = shapes.length > 1 && shapes.some(({ hasHeading }) => hasHeading);
  let best = shelved(shapes, columns, 1, pack);
  for (let depth = 2; isGrouped && depth <= Math.min(deepest, MOST_DEPTH); depth++) {
    const other = shelved(shapes, columns, depth, pack);
    if (sumOf(other, rowPx) < sumOf(best, rowPx)) best = other;
  }
  return best;
}

/**
 * How high the whole wall is.
 * @param {Grid} grid
 */
export function heightOf({ shelves, rowPx }) {
  return GAP + sumOf(shelves, rowPx);
}

/**
 * @param {Shelves} shelves
 * @param {number} rowPx
 */
function sumOf({ rows, headings }, rowPx) {
  return rows * (rowPx + GAP) + headings * (HEADING + GAP);
}

/**
 * How many cells long the tiles are, all beside or all below each other.
 * @param {(1 | 2)[]} spans
 */
function lengthOf(spans) {
  return spans.reduce((sum, span) => sum + span, 0);
}

/**
 * How much larger the pictures are with the doubled ones than without: the side of the mean of their
 * areas, for the area is what is seen.
 * @param {(1 | 2)[]} spans
 */
function gainOf(spans) {
  return Math.sqrt(spans.reduce((sum, span) => sum + span * span, 0) / Math.max(1, spans.length));
}

/** @param {number} tile its width */
function captionsOf(tile) {
  return CAPTIONS.filter(({ leastPx }) => tile >= leastPx);
}

/**
 * @param {number} columns
 * @param {number} width
 */
function tileWidth(columns, width) {
  return (width - GAP) / columns - GAP;
}
