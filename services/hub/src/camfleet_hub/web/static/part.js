/**
 * One stream on its node's page: how it is now, and its plots.
 * @module
 */

import { ago } from "./moment.js";
import { plotsOf } from "./past.js";
import { Plots } from "./plots.js";

/** @typedef {import("./drawing.js").Samples} Samples */
/** @typedef {import("./past.js").StreamHistory} StreamHistory */

/** Lives as long as the hub tells of its stream. */
export class Part {
  element;

  #plots;

  /**
   * @param {StreamHistory} stream
   * @param {import("./moment.js").Moment} moment
   */
  constructor(stream, moment) {
    const { now, profile } = stream;
    const title = profile === "main" ? now.camera : `${now.camera}, ${profile}`;
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("camera"));
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.element = /** @type {HTMLElement} */ (copy.firstElementChild);
    this.element.dataset.stream = idOf(stream);
    this.element.setAttribute("aria-label", title);
    const path = [now.node, now.camera].map(encodeURIComponent).join("/");
    this.#child(".part-name").textContent = title;
    this.#child(".snapshot").setAttribute("href", `/snapshot/${path}.jpg`);
    this.#child(".mjpeg").setAttribute("href", `/mjpeg/${path}`);
    this.#child(".part-links").hidden = profile !== "main";
    this.#plots = new Plots(this.element, moment, title);
  }

  /**
   * @param {StreamHistory} stream
   * @param {Samples} samples
   */
  show(stream, samples) {
    const { now } = stream;
    const size = now.width && now.height ? `${now.width} × ${now.height}, ` : "";
    const age = now.age_ms === null ? "no picture yet" : `last picture ${ago(now.age_ms / 1000)}`;
    this.element.dataset.state = now.state;
    this.#child(".part-state").textContent = `${now.state}, ${size}${age}`;
    this.#plots.show(plotsOf(stream), samples);
  }

  close() {
    this.#plots.close();
    this.element.remove();
  }

  /** @param {string} selector */
  #child(selector) {
    return /** @type {HTMLElement} */ (this.element.querySelector(selector));
  }
}

/** @param {StreamHistory} stream */
export function idOf({ now, profile }) {
  return `${now.camera}/${profile}`;
}
