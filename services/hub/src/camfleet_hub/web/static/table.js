/**
 * The rows of a plot's table at one moment: its legend, its readout and what a screen reader tells.
 * @module
 */

import { extent } from "./axis.js";
import { UNKNOWN } from "./words.js";

/** @typedef {import("./past.js").Plot} Definition */
/** @typedef {import("./past.js").Series} Series */

/**
 * Whether anything in a plot is counted.
 * @param {Definition} plot
 */
export function hasTotals({ series }) {
  return series.some(({ total }) => total !== undefined);
}

/**
 * A row for each series, and for what happened.
 * @param {Definition} plot
 * @param {number} place of the moment's sample; -1 without any
 */
export function rowsOf(plot, place) {
  const rows = plot.series.map((series) => {
    const found = extent(series.values);
    const bounds = [found?.least, found?.most].map((value) => words(value, plot.unit));
    const row = document.createElement("tr");
    row.append(head(series, Boolean(plot.isStacked)), ...[reading(series, place, plot.unit), ...bounds].map(cell));
    if (hasTotals(plot)) row.append(cell(series.total?.toLocaleString("en") ?? UNKNOWN));
    return row;
  });
  if (plot.states) rows.push(textRow("state", plot.states[place] ?? UNKNOWN));
  if (plot.marks?.[place]) rows.push(textRow("event", plot.marks[place] ?? UNKNOWN));
  return rows;
}

/**
 * A value with its unit.
 * @param {number | null | undefined} value
 * @param {string} unit
 */
function words(value, unit) {
  if (value === null || value === undefined) return UNKNOWN;
  const text = digits(value);
  return unit.startsWith("/") ? `${text}${unit}` : `${text} ${unit}`;
}

/**
 * A series' value at a place, with how far it may be off where that is known.
 * @param {Series} series
 * @param {number} place
 * @param {string} unit
 */
export function reading({ values, uncertainty }, place, unit) {
  const [value, off] = [values[place], uncertainty?.[place]];
  if (value === null || value === undefined || off === null || off === undefined) return words(value, unit);
  return `${digits(value)} ± ${digits(off)} ${unit}`;
}

/** @param {number} value */
function digits(value) {
  return value.toFixed(Math.abs(value) < 10 && value !== 0 ? 2 : 1);
}

/**
 * @param {Series} series
 * @param {boolean} isArea
 */
function head({ name, note, colour, isDashed, isHidden }, isArea) {
  const element = document.createElement("th");
  element.scope = "row";
  const swatch = document.createElement("span");
  swatch.className = `swatch c${colour}`;
  swatch.classList.toggle("dashed", Boolean(isDashed));
  swatch.classList.toggle("area", isArea);
  swatch.classList.toggle("hollow", Boolean(isHidden));
  element.append(swatch, name);
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    element.append(" ", small);
  }
  return element;
}

/** @param {string} content */
function cell(content) {
  const element = document.createElement("td");
  element.textContent = content;
  return element;
}

/**
 * @param {string} name
 * @param {string} content
 */
function textRow(name, content) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  const value = cell(content);
  value.colSpan = 4;
  row.append(head, value);
  return row;
}
