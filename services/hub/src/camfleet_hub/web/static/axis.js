/**
 * Where values stand on an axis, and what is written beside it. Pure functions; draws nothing.
 * @module
 */

/**
 * Round numbers from 0, or from below the least value, to above the greatest one.
 * @param {number} least
 * @param {number} most
 * @param {number} wanted how many steps, more or less
 * @returns {number[]} at least two
 */
export function ticks(least, most, wanted = 4) {
  const span = Math.max(most - least, Number.EPSILON);
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(least / step);
  const last = Math.max(first + 1, Math.ceil(most / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/**
 * A tick's text, with as many digits as its step needs.
 * @param {number} value
 * @param {number} step
 */
export function tickText(value, step) {
  return value.toFixed(Math.min(3, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))));
}

/**
 * Times of an axis, in seconds ago; fewer where there is little room.
 * @param {number} spanS
 * @param {number} widthPx
 * @returns {{ageS: number, text: string}[]}
 */
export function times(spanS, widthPx) {
  const steps = widthPx < 420 ? 2 : 5;
  return Array.from({ length: steps + 1 }, (_, index) => {
    const ageS = (spanS * (steps - index)) / steps;
    return { ageS, text: ageS ? `−${Math.round(ageS / 60)} min` : "now" };
  });
}

/**
 * Runs of neighbours that are all known, and not too far apart to be joined by a line.
 * @param {(number | null)[]} values
 * @param {number[]} agesS oldest first
 * @param {number} farS
 * @returns {number[][]} of places
 */
export function runs(values, agesS, farS) {
  /** @type {number[][]} */
  const found = [];
  let last = -1;
  values.forEach((value, place) => {
    if (value === null) return;
    const isNext = last === place - 1 && last >= 0 && agesS[last] - agesS[place] <= farS;
    if (isNext) found[found.length - 1].push(place);
    else found.push([place]);
    last = place;
  });
  return found;
}

/**
 * Each layer's upper edge above the layers below it; unknown only where all of them are.
 * @param {(number | null)[][]} layers
 * @returns {(number | null)[][]}
 */
export function stacked(layers) {
  /** @type {(number | null)[][]} */
  const edges = [];
  layers.forEach((layer, index) => {
    edges.push(layer.map((value, place) => {
      if (layers.every((one) => one[place] === null)) return null;
      return (index ? edges[index - 1][place] ?? 0 : 0) + (value ?? 0);
    }));
  });
  return edges;
}

/**
 * @param {(number | null)[]} values
 * @returns {{least: number, most: number} | null}
 */
export function extent(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? { least: Math.min(...known), most: Math.max(...known) } : null;
}
