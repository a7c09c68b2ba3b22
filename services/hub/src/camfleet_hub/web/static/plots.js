/**
 * The plots of one part of a node's page. What they show, they are told.
 * @module
 */

import { Plot } from "./plot.js";

/** @typedef {import("./drawing.js").Samples} Samples */
/** @typedef {import("./past.js").Plot} Definition */

/** As many as there is something to show of. */
export class Plots {
  #part;
  #moment;
  #owner;
  /** @type {Map<string, Plot>} */
  #known = new Map();

  /**
   * @param {HTMLElement} part with a place for them
   * @param {import("./moment.js").Moment} moment
   * @param {string} owner whose they are, for who hears them
   */
  constructor(part, moment, owner) {
    this.#part = part;
    this.#moment = moment;
    this.#owner = owner;
  }

  /**
   * Show these, and no others that were here before: a sensor may fall silent.
   * @param {Definition[]} definitions
   * @param {Samples} samples
   */
  show(definitions, samples) {
    const keys = new Set(definitions.map(({ key }) => key));
    for (const [key, plot] of this.#known) {
      if (keys.has(key)) continue;
      plot.close();
      this.#known.delete(key);
    }
    for (const definition of definitions) {
      const plot = this.#known.get(definition.key) ?? this.#add();
      this.#known.set(definition.key, plot);
      plot.show(definition, samples);
    }
  }

  close() {
    for (const plot of this.#known.values()) plot.close();
    this.#known.clear();
  }

  #add() {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("plot"));
    const plot = new Plot(template, this.#moment, this.#owner);
    this.#part.querySelector(".plots")?.append(plot.element);
    return plot;
  }
}
