/**
 * One plot with its table, which is its legend, its readout and what a screen reader tells of it.
 * @module
 */

import { extent, runs, stacked, tickText, ticks, times } from "./axis.js";
import { ago, nearest } from "./moment.js";
import { UNKNOWN } from "./words.js";

/** @typedef {import("./past.js").Line} Line */
/** @typedef {import("./past.js").Plot} Definition */
/** @typedef {import("./past.js").Series} Series */
/** @typedef {{agesS: number[], intervalS: number, spanS: number}} Samples */

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT_PX = 168;
const ROOM = { left: 46, right: 12, top: 10, bottom: 22 };
const OUTAGE_PX = 5;
const FAR = 2.5; // intervals: more apart, and nobody knows what was between
const MINUTE = 12; // samples

/** Draws a definition anew whenever it changes, keeping focus and moment. */
export class Plot {
  element;

  #moment;
  #area;
  #owner;
  /** @type {Definition | null} */
  #plot = null;
  /** @type {Samples} */
  #samples = { agesS: [], intervalS: 5, spanS: 600 };
  #widthPx = 0;

  /**
   * @param {HTMLTemplateElement} template
   * @param {import("./moment.js").Moment} moment that all plots share
   * @param {string} owner whose plot it is, for who cannot see where it stands
   */
  constructor(template, moment, owner) {
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.element = /** @type {HTMLElement} */ (copy.firstElementChild);
    this.#moment = moment;
    this.#owner = owner;
    this.#area = /** @type {HTMLElement} */ (this.element.querySelector(".plot-area"));
    this.#area.addEventListener("pointermove", (event) => this.#point(event));
    this.#area.addEventListener("pointerdown", (event) => this.#point(event));
    this.#area.addEventListener("pointerleave", () => moment.set(null));
    this.#area.addEventListener("blur", () => moment.set(null));
    this.#area.addEventListener("keydown", (event) => this.#move(event));
    moment.addEventListener("change", () => this.#tell());
    new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width)).observe(this.#area);
  }

  /**
   * @param {Definition} plot
   * @param {Samples} samples
   */
  show(plot, samples) {
    this.#plot = plot;
    this.#samples = samples;
    const title = `${plot.title} (${plot.unit})`;
    this.element.dataset.plot = plot.key;
    /** @type {HTMLElement} */ (this.element.querySelector(".plot-title")).textContent = title;
    this.#area.setAttribute("aria-label", `${title} of ${this.#owner}, by time`);
    this.#draw();
    this.#tell();
  }

  /** @param {number} widthPx */
  #resize(widthPx) {
    if (Math.round(widthPx) === this.#widthPx) return;
    this.#widthPx = Math.round(widthPx);
    this.#draw();
    this.#tell();
  }

  #draw() {
    const plot = this.#plot;
    if (!plot || !this.#widthPx) return;
    const drawn = plot.series
      .filter(({ isHidden }) => !isHidden)
      .map((series) => ({ ...series, band: series.uncertainty && bandOf(series.values, series.uncertainty) }));
    const edges = plot.isStacked ? stacked(drawn.map(({ values }) => values)) : drawn.map(({ values }) => values);
    const scale = this.#scale(plot, drawn, edges);
    const svg = make("svg", { width: this.#widthPx, height: HEIGHT_PX, "aria-hidden": "true" });
    svg.append(...this.#axes(scale));
    if (plot.states) svg.append(...this.#outages(plot.states));
    for (const [place, mark] of (plot.marks ?? []).entries()) {
      if (!mark) continue;
      const x = this.#x(this.#samples.agesS[place]);
      svg.append(make("path", { class: "mark", d: `M${x} ${ROOM.top}V${HEIGHT_PX - ROOM.bottom}` }));
    }
    for (const index of drawn.keys()) {
      const { colour, isDashed, band } = drawn[index];
      if (plot.isStacked) {
        const floor = index ? edges[index - 1] : edges[index].map((edge) => edge === null ? null : 0);
        svg.append(...this.#areas(floor, edges[index], scale, `area c${colour}`));
        continue;
      }
      if (band) svg.append(...this.#areas(band.low, band.high, scale, `band c${colour}`));
      const d = this.#runs(edges[index]).map((run) => this.#line(run, edges[index], scale)).join("");
      svg.append(make("path", { class: `line c${colour}${isDashed ? " dashed" : ""}`, d }));
    }
    svg.append(make("path", { class: "moment", d: "" }));
    this.#area.replaceChildren(svg);
  }

  /**
   * @param {Definition} plot
   * @param {{band?: {low: Line, high: Line}}[]} drawn
   * @param {Line[]} edges
   */
  #scale(plot, drawn, edges) {
    const bands = drawn.flatMap(({ band }) => (band ? [...band.low, ...band.high] : []));
    const found = extent([...edges.flat(), ...bands]) ?? { least: 0, most: 1 };
    const marks = ticks(plot.isFree ? found.least : 0, found.most || 1);
    const [low, high] = [marks[0], marks[marks.length - 1]];
    const heightPx = HEIGHT_PX - ROOM.top - ROOM.bottom;
    /** @param {number} value */
    const y = (value) => round(ROOM.top + heightPx * (1 - (value - low) / (high - low)));
    return { marks, y, step: marks[1] - marks[0] };
  }

  /** @param {{marks: number[], y: (value: number) => number, step: number}} scale */
  #axes({ marks, y, step }) {
    const right = this.#widthPx - ROOM.right;
    const found = marks.flatMap((value) => [
      make("path", { class: "grid", d: `M${ROOM.left} ${y(value)}H${right}` }),
      text(tickText(value, step), ROOM.left - 6, y(value) + 4, "end"),
    ]);
    const bottom = HEIGHT_PX - 6;
    const shown = times(this.#samples.spanS, this.#widthPx);
    for (const [index, { ageS, text: words }] of shown.entries()) {
      const anchor = index === shown.length - 1 ? "end" : "middle";
      found.push(text(words, this.#x(ageS), bottom, index ? anchor : "start"));
    }
    return found;
  }

  /**
   * A stale or offline camera, below its line; where it was online there is nothing.
   * @param {(string | null)[]} states
   */
  #outages(states) {
    const half = this.#samples.intervalS / 2;
    return states.flatMap((state, place) => {
      if (state !== "stale" && state !== "offline") return [];
      const ageS = this.#samples.agesS[place];
      const x = this.#x(ageS + half);
      const height = state === "stale" ? OUTAGE_PX : 2 * OUTAGE_PX;
      const width = round(Math.max(1, this.#x(ageS - half) - x));
      return [make("rect", { class: `outage ${state}`, x, y: HEIGHT_PX - ROOM.bottom - height, width, height })];
    });
  }

  /**
   * @param {Line} floor
   * @param {Line} edge
   * @param {{y: (value: number) => number}} scale
   * @param {string} name
   */
  #areas(floor, edge, scale, name) {
    return this.#runs(edge).map((run) => {
      const back = [...run].reverse();
      const d = `${this.#line(run, edge, scale)}${this.#line(back, floor, scale).replace("M", "L")}Z`;
      return make("path", { class: name, d });
    });
  }

  /** @param {Line} values */
  #runs(values) {
    const { agesS, intervalS } = this.#samples;
    return runs(values, agesS, FAR * intervalS);
  }

  /**
   * @param {number[]} run of places
   * @param {Line} values
   * @param {{y: (value: number) => number}} scale
   */
  #line(run, values, { y }) {
    const points = run.map((place) => `${this.#x(this.#samples.agesS[place])} ${y(values[place] ?? 0)}`);
    return `M${points.join("L")}${points.length > 1 ? "" : "h0.01"}`; // one alone is a dot
  }

  /** @param {number} ageS */
  #x(ageS) {
    const widthPx = this.#widthPx - ROOM.left - ROOM.right;
    const x = ROOM.left + widthPx * (1 - ageS / this.#samples.spanS);
    return round(Math.min(Math.max(x, ROOM.left), this.#widthPx - ROOM.right));
  }

  // The moment

  /** @param {PointerEvent} event */
  #point(event) {
    const widthPx = this.#widthPx - ROOM.left - ROOM.right;
    const x = event.clientX - this.#area.getBoundingClientRect().left - ROOM.left;
    const ageS = this.#samples.spanS * (1 - Math.min(Math.max(x / widthPx, 0), 1));
    this.#moment.set(this.#samples.agesS[nearest(this.#samples.agesS, ageS)] ?? null);
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const { agesS } = this.#samples;
    const place = nearest(agesS, this.#moment.ageS);
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: place - 1,
      ArrowDown: place - 1,
      ArrowRight: place + 1,
      ArrowUp: place + 1,
      PageDown: place - MINUTE,
      PageUp: place + MINUTE,
      Home: 0,
      End: agesS.length - 1,
      Escape: agesS.length - 1,
    };
    if (!(event.key in places) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = Math.min(Math.max(places[event.key], 0), agesS.length - 1);
    this.#moment.set(next === agesS.length - 1 ? null : agesS[next] ?? null);
  }

  /** Tell of the moment: a line in the plot, a column of the table, words for screen readers. */
  #tell() {
    const plot = this.#plot;
    if (!plot) return;
    const { agesS } = this.#samples;
    const { ageS } = this.#moment;
    const place = nearest(agesS, ageS);
    const when = ageS === null || place < 0 ? "now" : ago(agesS[place]);
    const line = this.#area.querySelector(".moment");
    const x = ageS === null || place < 0 ? null : this.#x(agesS[place]);
    line?.setAttribute("d", x === null ? "" : `M${x} ${ROOM.top}V${HEIGHT_PX - ROOM.bottom}`);
    const happened = [plot.states?.[place], plot.marks?.[place]].filter(Boolean);
    const told = plot.series.map((series) => `${series.name} ${reading(series, place, plot.unit)}`);
    this.#area.setAttribute("aria-valuemax", String(Math.max(0, agesS.length - 1)));
    this.#area.setAttribute("aria-valuenow", String(Math.max(0, place)));
    this.#area.setAttribute("aria-valuetext", `${when}: ${[...happened, ...told].join(", ")}`);
    /** @type {HTMLElement} */ (this.element.querySelector("th.moment")).textContent = when;
    this.#fill(plot, place);
  }

  /**
   * @param {Definition} plot
   * @param {number} place
   */
  #fill(plot, place) {
    const hasTotal = plot.series.some(({ total }) => total !== undefined);
    /** @type {HTMLElement} */ (this.element.querySelector(".total")).hidden = !hasTotal;
    const rows = plot.series.map((series) => {
      const found = extent(series.values);
      const bounds = [found?.least, found?.most].map((value) => words(value, plot.unit));
      const row = document.createElement("tr");
      row.append(head(series, Boolean(plot.isStacked)), ...[reading(series, place, plot.unit), ...bounds].map(cell));
      if (hasTotal) row.append(cell(series.total?.toLocaleString("en") ?? UNKNOWN));
      return row;
    });
    if (plot.states) rows.push(textRow("state", plot.states[place] ?? UNKNOWN));
    if (plot.marks?.[place]) rows.push(textRow("event", plot.marks[place] ?? UNKNOWN));
    /** @type {HTMLElement} */ (this.element.querySelector("tbody")).replaceChildren(...rows);
  }
}

/**
 * A value with its unit.
 * @param {number | null | undefined} value
 * @param {string} unit
 */
export function words(value, unit) {
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
function reading({ values, uncertainty }, place, unit) {
  const [value, off] = [values[place], uncertainty?.[place]];
  if (value === null || value === undefined || off === null || off === undefined) return words(value, unit);
  return `${digits(value)} ± ${digits(off)} ${unit}`;
}

/** @param {number} value */
function digits(value) {
  return value.toFixed(value < 10 && value !== 0 ? 2 : 1);
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

/**
 * Where the true values may be.
 * @param {Line} values
 * @param {Line} uncertainty
 */
function bandOf(values, uncertainty) {
  /** @param {number} sign */
  const edge = (sign) => values.map((value, place) => {
    const off = uncertainty[place];
    return value === null || off === null || off === undefined ? null : Math.max(0, value + sign * off);
  });
  return { low: edge(-1), high: edge(1) };
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

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/**
 * @param {string} content
 * @param {number} x
 * @param {number} y
 * @param {"start" | "middle" | "end"} anchor
 */
function text(content, x, y, anchor) {
  const element = make("text", { x, y, "text-anchor": anchor });
  element.textContent = content;
  return element;
}

/** @param {number} px */
function round(px) {
  return Math.round(px * 10) / 10;
}
