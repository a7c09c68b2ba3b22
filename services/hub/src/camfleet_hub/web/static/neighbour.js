/**
 * The tile above or below another one, whatever their sizes. Pure arithmetic on boxes.
 * @module
 */

/** @typedef {{left: number, top: number, width: number, height: number}} Box */

const SLACK_PX = 1; // boxes have fractions of a pixel

/**
 * @param {Box[]} boxes
 * @param {number} from index of the one to leave
 * @param {number} rows 1 for below, -1 for above
 * @returns {number} its index; -1 at the edge
 */
export function neighbour(boxes, from, rows) {
  const own = boxes[from];
  if (!own) return -1;
  const all = boxes.map((box, index) => ({
    index,
    gapPx: rows > 0 ? box.top - (own.top + own.height) : own.top - (box.top + box.height),
    asidePx: Math.abs(box.left + box.width / 2 - (own.left + own.width / 2)),
  }));
  const ahead = all.filter(({ gapPx }) => gapPx >= -SLACK_PX);
  const nearestPx = Math.min(...ahead.map(({ gapPx }) => gapPx));
  const row = ahead.filter(({ gapPx }) => gapPx <= nearestPx + SLACK_PX);
  return row.sort((a, b) => a.asidePx - b.asidePx)[0]?.index ?? -1;
}
