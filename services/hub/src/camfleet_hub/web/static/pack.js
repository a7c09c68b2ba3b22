/**
 * Where tiles stand in columns: a double one near its place in the order where that leaves no hole,
 * single ones in order around it, small groups beside each other. Pure arithmetic on cells; never touches the page.
 * @module
 */

/**
 * What stands below one heading.
 * @typedef {object} Shape
 * @property {boolean} hasHeading
 * @property {(1 | 2)[]} spans how many columns and rows each tile takes, in their order
 */

/** @typedef {{column: number, row: number, span: number}} Place counted from 0 */

/**
 * A group as a box on the wall, and what stands in it.
 * @typedef {object} Box
 * @property {number} column counted from 0, as the next one
 * @property {number} line of the whole grid, in which headings have lines of their own
 * @property {number} width in columns
 * @property {Place[]} places of its tiles, from the line below its heading
 */

/**
 * @typedef {object} Shelves
 * @property {number} rows of tiles
 * @property {number} headings lines of them
 * @property {Box[]} boxes
 */

/**
 * Put tiles into columns without a hole, wherever that is found. Many doubled ones near their
 * places leave gaps between them that none fits into; then each has the first place that is free.
 * @param {(1 | 2)[]} spans
 * @param {number} columns
 * @returns {{rows: number, places: Place[]}}
 */
export function packed(spans, columns) {
  if (!spans.includes(2)) return inRows(spans.length, columns);
  const sizes = spans.map((span) => Math.min(span, columns));
  const cells = sizes.reduce((sum, size) => sum + size * size, 0);
  const least = Math.max(...sizes, Math.ceil(cells / columns));
  const near = put(sizes, columns, least, (before) => before);
  if (near.rows === least) return near;
  const first = put(sizes, columns, least, () => 0);
  return first.rows < near.rows ? first : near;
}

/**
 * As `packed`, but what was asked before is not worked out again: most groups are alike.
 * @returns {typeof packed}
 */
export function packer() {
  /** @type {Map<string, ReturnType<typeof packed>>} */
  const known = new Map();
  return (spans, columns) => {
    const key = `${columns} ${spans.join("")}`;
    const found = known.get(key) ?? packed(spans, columns);
    known.set(key, found);
    return found;
  };
}

/**
 * Put groups on shelves so many rows high: beside each other as long as there are columns. One
 * that is too large for a shelf has all columns, and as many rows as it needs.
 * @param {Shape[]} shapes
 * @param {number} columns
 * @param {number} depth rows of a shelf
 * @param {typeof packed} pack
 * @returns {Shelves}
 */
export function shelved(shapes, columns, depth, pack = packed) {
  const shelves = { rows: 0, headings: 0, boxes: /** @type {Box[]} */ ([]) };
  let [column, rows, headings] = [0, 0, 0]; // of the shelf that is being filled
  const leave = () => {
    shelves.rows += rows;
    shelves.headings += headings;
    [column, rows, headings] = [0, 0, 0];
  };
  for (const { spans, hasHeading } of shapes) {
    const width = hasHeading ? widthOf(spans, columns, depth, pack) : columns;
    if (column + width > columns) leave();
    const inside = pack(spans, width);
    const line = shelves.rows + shelves.headings;
    shelves.boxes.push({ column, line, width, places: inside.places });
    column += width;
    rows = Math.max(rows, inside.rows);
    if (hasHeading) headings = 1;
  }
  leave();
  return shelves;
}

/**
 * The doubled ones first, each as near as can be to where it is wanted; single ones fill the rest.
 * @param {number[]} sizes
 * @param {number} columns
 * @param {number} least rows that hold all of them
 * @param {(before: number) => number} wanted a cell, by how many the tiles before it take
 */
function put(sizes, columns, least, wanted) {
  /** @type {Set<number>} */
  const taken = new Set();
  /** @type {Place[]} */
  const places = Array(sizes.length);
  /** @param {number} i @param {number} at @param {number} span */
  const take = (i, at, span) => {
    for (const cell of cellsOf(at, span, columns)) taken.add(cell);
    places[i] = { column: at % columns, row: Math.floor(at / columns), span };
  };
  let before = 0;
  sizes.forEach((size, i) => {
    if (size > 1) take(i, freeFor(wanted(before), columns, least, taken), size);
    before += size * size;
  });
  let at = 0;
  sizes.forEach((size, i) => {
    if (size > 1) return;
    while (taken.has(at)) at += 1;
    take(i, at, size);
  });
  return { rows: places.reduce((most, { row, span }) => Math.max(most, row + span), 0), places };
}

/**
 * @param {number} count of single tiles
 * @param {number} columns
 */
function inRows(count, columns) {
  const places = Array.from({ length: count }, (_, at) => ({
    column: at % columns,
    row: Math.floor(at / columns),
    span: 1,
  }));
  return { rows: Math.ceil(count / columns), places };
}

/**
 * The fewest columns in which a group is no higher than its shelf.
 * @param {(1 | 2)[]} spans
 * @param {number} columns
 * @param {number} depth
 * @param {typeof packed} pack
 */
function widthOf(spans, columns, depth, pack) {
  const isEven = !spans.includes(2);
  let width = Math.min(columns, Math.max(isEven ? 1 : 2, Math.ceil(spans.length / depth)));
  while (!isEven && width < columns && pack(spans, width).rows > depth) width += 1;
  return width;
}

/**
 * The free square of two by two that is nearest to a cell, within the rows if there is one.
 * @param {number} wanted
 * @param {number} columns
 * @param {number} rows
 * @param {Set<number>} taken
 */
function freeFor(wanted, columns, rows, taken) {
  /** @param {number} at */
  const isFree = (at) =>
    at % columns <= columns - 2 && !cellsOf(at, 2, columns).some((cell) => taken.has(cell));
  const last = (rows - 1) * columns - 2; // its second row is the last one
  for (let step = 0; step <= Math.max(wanted, last - wanted); step++) {
    if (wanted + step <= last && isFree(wanted + step)) return wanted + step;
    if (wanted - step >= 0 && wanted - step <= last && isFree(wanted - step)) return wanted - step;
  }
  let at = last + 1;
  while (!isFree(at)) at += 1;
  return at;
}

/**
 * @param {number} at
 * @param {number} span
 * @param {number} columns
 */
function cellsOf(at, span, columns) {
  return span === 1 ? [at] : [at, at + 1, at + columns, at + columns + 1];
}
