/**
 * A plot as SVG: axes, lines with their bands, layers, outages and marks. What each number is in
 * words, it does not tell.
 * @module
 */

import { extent, runs, stacked, tickText, ticks, times } from "./axis.js";

/** @typedef {import("./past.js").Line} Line */
/** @typedef {import("./past.js").Plot} Definition */
/** @typedef {{agesS: number[], intervalS: number, spanS: number}} Samples oldest first */

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT_PX = 168; // node.css keeps the room for it
const ROOM = { left: 46, right: 12, top: 10, bottom: 22 };
const OUTAGE_PX = 5;
const FAR = 2.5; // intervals: more apart, and nobody knows what was between

/** Drawn once, but for the line at the moment. */
export class Drawing {
  svg;

  #samples;
  #widthPx;
  #moment = make("path", { class: "moment", d: "" });

  /**
   * @param {Definition} plot
   * @param {Samples} samples
   * @param {number} widthPx
   */
  constructor(plot, samples, widthPx) {
    this.#samples = samples;
    this.#widthPx = widthPx;
    this.svg = make("svg", { width: widthPx, height: HEIGHT_PX, "aria-hidden": "true" });
    this.#draw(plot);
  }

  /** @param {number | null} ageS of the moment; null for now, which needs no line */
  point(ageS) {
    this.#moment.setAttribute("d", ageS === null ? "" : this.#upright(ageS));
  }

  /**
   * How long ago it was at a place.
   * @param {number} px from the drawing's left edge
   */
  ageAt(px) {
    const widthPx = this.#widthPx - ROOM.left - ROOM.right;
    return this.#samples.spanS * (1 - Math.min(Math.max((px - ROOM.left) / widthPx, 0), 1));
  }

  /** @param {Definition} plot */
  #draw(plot) {
    const drawn = plot.series
      .filter(({ isHidden }) => !isHidden)
      .map((series) => ({ ...series, band: series.uncertainty && bandOf(series.values, series.uncertainty) }));
    const edges = plot.isStacked ? stacked(drawn.map(({ values }) => values)) : drawn.map(({ values }) => values);
    const scale = this.#scale(plot, drawn, edges);
    this.svg.append(...this.#axes(scale));
    if (plot.states) this.svg.append(...this.#outages(plot.states));
    for (const [place, mark] of (plot.marks ?? []).entries()) {
      const d = this.#upright(this.#samples.agesS[place]);
      if (mark) this.svg.append(make("path", { class: "mark", d }));
    }
    for (const index of drawn.keys()) {
      const { colour, isDashed, band } = drawn[index];
      if (plot.isStacked) {
        const floor = index ? edges[index - 1] : edges[index].map((edge) => edge === null ? null : 0);
        this.svg.append(...this.#areas(floor, edges[index], scale, `area c${colour}`));
        continue;
      }
      if (band) this.svg.append(...this.#areas(band.low, band.high, scale, `band c${colour}`));
      const d = this.#runs(edges[index]).map((run) => this.#line(run, edges[index], scale)).join("");
      this.svg.append(make("path", { class: `line c${colour}${isDashed ? " dashed" : ""}`, d }));
    }
    this.svg.append(this.#moment);
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
  #upright(ageS) {
    return `M${this.#x(ageS)} ${ROOM.top}V${HEIGHT_PX - ROOM.bottom}`;
  }

  /** @param {number} ageS */
  #x(ageS) {
    const widthPx = this.#widthPx - ROOM.left - ROOM.right;
    const x = ROOM.left + widthPx * (1 - ageS / this.#samples.spanS);
    return round(Math.min(Math.max(x, ROOM.left), this.#widthPx - ROOM.right));
  }
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
