/**
 * One tile: a camera as the hub sees it, its pictures, and what is told of both.
 * @module
 */

import { Card } from "./card.js";
import { Meter } from "./meter.js";
import { Screen } from "./screen.js";
import { Shortfall } from "./shortfall.js";
import { condition, duration, latency, marks, rate, SPOKEN, slow, UNKNOWN } from "./words.js";

/** @typedef {import("./message.js").Camera} Camera */
/** @typedef {import("./screen.js").PaintedDetail} PaintedDetail */
/** @typedef {import("./screen.js").Received} Received */

/**
 * The page's time, in which the words are told.
 * @typedef {object} Now
 * @property {number} browserMs
 * @property {number | null} hubMs
 * @property {boolean} isLinked
 */

/** Lives as long as its camera is in the fleet. */
export class Tile {
  /** @type {HTMLElement} */
  element;
  /** @type {HTMLButtonElement} */
  button;
  /** @type {HTMLAnchorElement} */
  snapshot;

  #camera;
  #card;
  #heardMs;
  #screen;
  #meter = new Meter();
  #shortfall = new Shortfall();
  /** @type {number | null} */
  #shownCapturedMs = null;
  /** @type {number | null} */
  #pausedMs = null;

  /**
   * @param {number} number this browser's own, of this camera
   * @param {Camera} camera
   * @param {import("./painter.js").Painter} painter
   * @param {number} nowMs
   */
  constructor(number, camera, painter, nowMs) {
    this.number = number;
    this.id = camera.id;
    this.#camera = camera;
    this.#heardMs = nowMs;
    this.#card = new Card(number, camera);
    this.element = this.#card.element;
    this.button = this.#card.part(".open");
    this.snapshot = this.#card.part(".snapshot");
    this.snapshot.addEventListener("click", () => this.#nameSnapshot());
    this.#screen = new Screen(this.#card.part("canvas"), camera.id, painter);
  }

  /**
   * @param {Camera} camera as the hub sees it now
   * @param {number} nowMs
   */
  update(camera, nowMs) {
    this.#camera = camera;
    this.#heardMs = nowMs;
    this.#shortfall.follow(camera, nowMs);
  }

  get node() {
    return this.#camera.node;
  }

  /** Of the camera's whole picture; null where nobody knows. */
  get size() {
    const { width, height } = this.#camera;
    return { width, height };
  }

  /** As the hub sees the camera; rejected where it rejected the newest that came of it. */
  get state() {
    const { rejection, age_ms: ageMs, state } = this.#camera;
    return rejection && (ageMs === null || rejection.age_ms < ageMs) ? "rejected" : state;
  }

  /** Why it is rejected, or why its node is gone, unless it only fell silent. */
  get #reason() {
    if (this.state === "rejected") return this.#camera.rejection?.reason;
    const { gone } = this.#camera;
    return gone && gone.reason !== "silent" ? gone.detail : "";
  }

  /** Whether it fills the page, and so is shown as large as the camera sends. */
  get isStaged() {
    return this.element.classList.contains("staged");
  }

  /** How many columns and rows it takes. */
  get span() {
    return this.element.classList.contains("double") ? 2 : 1;
  }

  /** Whether its picture stands still; then the hub shall send none. */
  get isPaused() {
    return this.#pausedMs !== null;
  }

  /** The name for who hears it. */
  get spoken() {
    return `${this.#camera.node} / ${this.#camera.camera}`;
  }

  /**
   * @param {boolean} isPaused
   * @param {number} nowMs
   */
  pause(isPaused, nowMs) {
    if (isPaused !== this.isPaused) this.#pausedMs = isPaused ? nowMs : null;
    this.#card.press(".pause", isPaused);
  }

  /** @param {{isDouble: boolean, isHidden: boolean}} dress what a person made of it */
  dress({ isDouble, isHidden }) {
    this.element.classList.toggle("double", isDouble);
    this.element.classList.toggle("set-aside", isHidden);
    this.#card.press(".resize", isDouble);
    this.#card.press(".hide", isHidden);
  }

  /** @param {Received} received */
  take(received) {
    this.#screen.take(received);
  }

  /**
   * @param {PaintedDetail} painted
   * @param {number | null} clockUncertaintyMs
   */
  count({ capturedMs, uncertaintyMs, paintedMs }, clockUncertaintyMs) {
    this.#shownCapturedMs = capturedMs;
    if (capturedMs === null || paintedMs === null) return this.#meter.add(null, null);
    const isSure = uncertaintyMs !== null && clockUncertaintyMs !== null;
    this.#meter.add(paintedMs - capturedMs, isSure ? uncertaintyMs + clockUncertaintyMs : null);
  }

  /**
   * Tell the present state in words.
   * @param {Now} now
   */
  refresh(now) {
    const ageMs = this.#ageMs(now.browserMs);
    const { isBroken } = this.#screen;
    const pausedMs = this.#pausedMs === null ? null : now.browserMs - this.#pausedMs;
    const here = { isLinked: now.isLinked, isBroken, pausedMs };
    const told = condition(this.state, ageMs, here, this.#reason);
    this.#card.dress(told.name);
    this.element.toggleAttribute("data-painted", this.#screen.hasPicture);
    this.snapshot.hidden = !this.hasPicture;
    this.#card.part(".hide").hidden = this.state === "online"; // it would come back at once
    this.#card.write(".state", SPOKEN[told.name]);
    const isSlow = told.name === "online" && this.#shortfall.isSlow(now.browserMs);
    const found = told.name === "online" ? marks(this.#camera, isSlow) : "";
    this.element.toggleAttribute("data-slow", isSlow);
    this.#card.write(".marks", found);
    this.#card.write(".slate-title", told.title);
    this.#card.write(".slate-text", told.text);
    this.#card.write(".pixels", this.#screen.hasPicture ? this.#pixels : UNKNOWN);
    this.#refreshNumbers(now, told.name, ageMs, isSlow);
  }

  /** Whether there is something to save: a picture is often here before the hub tells its age. */
  get hasPicture() {
    return this.#screen.hasPicture || this.#camera.age_ms !== null;
  }

  /** @param {boolean} isCurrent the one tile that the Tab key reaches */
  setCurrent(isCurrent) {
    this.#card.setCurrent(isCurrent);
  }

  close() {
    this.#screen.close();
    this.element.remove();
  }

  /**
   * How long ago the hub got the newest picture. It goes on counting when the hub is silent.
   * @param {number} nowMs
   */
  #ageMs(nowMs) {
    const { age_ms: ageMs } = this.#camera;
    return ageMs === null ? null : ageMs + (nowMs - this.#heardMs);
  }

  /** As it was sent: smaller than the camera's where the tile is. */
  get #pixels() {
    /** @type {HTMLCanvasElement} */
    const { width, height } = this.#card.part("canvas");
    return `${width} × ${height}`;
  }

  /**
   * @param {Now} now
   * @param {string} told the condition's name
   * @param {number | null} ageMs
   * @param {boolean} isSlow
   */
  #refreshNumbers(now, told, ageMs, isSlow) {
    const isOnline = told === "online";
    const painted = this.#meter.read(now.browserMs);
    const shownMs = this.#shownCapturedMs;
    // The picture on the glass is older than the hub's newest by its way to the browser.
    const isExact = (isOnline || told === "paused") && now.hubMs !== null && shownMs !== null;
    const glassAgeMs = isExact ? Number(now.hubMs) - shownMs : ageMs;
    this.#card.write(".fps", isOnline ? rate(this.#camera.fps) : UNKNOWN);
    const spent = isOnline ? latency(painted.latencyMs, painted.uncertaintyMs) : UNKNOWN;
    this.#card.write(".latency", spent);
    this.#card.write(".age", glassAgeMs === null ? UNKNOWN : duration(glassAgeMs));
    this.#explain(painted.fps, isSlow);
  }

  /**
   * @param {number | null} paintedFps
   * @param {boolean} isSlow
   */
  #explain(paintedFps, isSlow) {
    const { id, width, height, fps, latency_ms: hubMs, uncertainty_ms: sureMs } = this.#camera;
    const size = width && height ? `${width} × ${height}\n` : "";
    const text =
      `${id}\n${size}${rate(fps)} at the hub, ${rate(paintedFps)} painted here\n` +
      `${latency(hubMs, sureMs)} from capture to the hub` +
      (isSlow ? `\n${slow(this.#camera)}: it captures less than it is set to give` : "");
    this.#card.explain(text);
  }

  #nameSnapshot() {
    const time = new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-");
    this.snapshot.download = `${this.#camera.node}-${this.#camera.camera}-${time}.jpg`;
  }
}
