/**
 * One plot with its table, which is its legend, its readout and what a screen reader tells of it.
 * @module
 */

import { Drawing } from "./drawing.js";
import { ago, nearest } from "./moment.js";
import { hasTotals, reading, rowsOf } from "./table.js";

/** @typedef {import("./drawing.js").Samples} Samples */
/** @typedef {import("./past.js").Plot} Definition */

const MINUTE = 12; // samples

/** Draws a definition anew whenever it changes, keeping focus and moment. */
export class Plot {
  element;

  #moment;
  #area;
  #owner;
  #follow = () => this.#tell();
  #observer = new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width));
  /** @type {Definition | null} */
  #plot = null;
  /** @type {Samples} */
  #samples = { agesS: [], intervalS: 5, spanS: 600 };
  #widthPx = 0;
  /** @type {Drawing | null} */
  #drawing = null;

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
    moment.addEventListener("change", this.#follow);
    this.#observer.observe(this.#area);
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

  /** There is nothing to show of it any more. */
  close() {
    this.#moment.removeEventListener("change", this.#follow);
    this.#observer.disconnect();
    this.element.remove();
  }

  /** @param {number} widthPx */
  #resize(widthPx) {
    if (Math.round(widthPx) === this.#widthPx) return;
    this.#widthPx = Math.round(widthPx);
    this.#draw();
    this.#tell();
  }

  #draw() {
    if (!this.#plot || !this.#widthPx) return;
    this.#drawing = new Drawing(this.#plot, this.#samples, this.#widthPx);
    this.#area.replaceChildren(this.#drawing.svg);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    if (!this.#drawing) return;
    const { agesS } = this.#samples;
    const ageS = this.#drawing.ageAt(event.clientX - this.#area.getBoundingClientRect().left);
    this.#moment.set(agesS[nearest(agesS, ageS)] ?? null);
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
    const isNow = ageS === null || place < 0;
    const when = isNow ? "now" : ago(agesS[place]);
    this.#drawing?.point(isNow ? null : agesS[place]);
    const happened = [plot.states?.[place], plot.marks?.[place]].filter(Boolean);
    const told = plot.series.map((series) => `${series.name} ${reading(series, place, plot.unit)}`);
    this.#area.setAttribute("aria-valuemax", String(Math.max(0, agesS.length - 1)));
    this.#area.setAttribute("aria-valuenow", String(Math.max(0, place)));
    this.#area.setAttribute("aria-valuetext", `${when}: ${[...happened, ...told].join(", ")}`);
    /** @type {HTMLElement} */ (this.element.querySelector("th.moment")).textContent = when;
    /** @type {HTMLElement} */ (this.element.querySelector(".total")).hidden = !hasTotals(plot);
    /** @type {HTMLElement} */ (this.element.querySelector("tbody")).replaceChildren(...rowsOf(plot, place));
  }
}
