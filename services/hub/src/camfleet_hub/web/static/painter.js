/**
 * Paints the screens that have a new picture, all in one animation frame, and acknowledges
 * what became of every frame. Must never forget one: the hub sends two a tile, then waits.
 * @module
 */

import { browserMs } from "./clock.js";

/** @typedef {import("./message.js").Painted} Painted */
/** @typedef {import("./screen.js").Screen} Screen */
/** @typedef {import("./screen.js").Received} Received */

/** One for the page. */
export class Painter {
  #clock;
  #send;
  #isRequested = false;
  /** @type {Set<Screen>} */
  #ready = new Set();
  /** @type {{received: Received, paintedMs: number | null}[]} */
  #done = [];

  /**
   * @param {import("./clock.js").HubClock} clock
   * @param {(connection: number, frames: Painted[]) => void} send
   */
  constructor(clock, send) {
    this.#clock = clock;
    this.#send = send;
    // No animation frames come to a hidden page: what waits for one would wait for hours.
    document.addEventListener("visibilitychange", () => document.hidden && this.#giveUp());
  }

  /**
   * @param {Screen} screen has a decoded picture
   */
  add(screen) {
    this.#ready.add(screen);
    this.#request();
  }

  /**
   * @param {Received} received will not be painted
   */
  skip(received) {
    this.#done.push({ received, paintedMs: null });
    this.#request();
  }

  #request() {
    if (document.hidden) return this.#giveUp();
    if (this.#isRequested) return;
    this.#isRequested = true;
    requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.#isRequested = false;
    for (const screen of this.#ready) {
      // The display shows it up to one refresh later, which a page cannot see.
      const received = screen.paint(() => this.#clock.at(browserMs()));
      if (received) this.#done.push(received);
    }
    this.#ready.clear();
    this.#acknowledge();
  }

  #giveUp() {
    const screens = [...this.#ready];
    this.#ready.clear();
    for (const screen of screens) {
      const received = screen.discard();
      if (received) this.#done.push({ received, paintedMs: null });
    }
    this.#acknowledge();
  }

  #acknowledge() {
    /** @type {Map<number, Painted[]>} */
    const byConnection = new Map();
    const uncertaintyMs = this.#clock.offset(browserMs())?.uncertaintyMs ?? null;
    for (const { received, paintedMs } of this.#done) {
      const frames = byConnection.get(received.connection) ?? [];
      const { tile, number } = received.frame;
      frames.push([tile, number, paintedMs, paintedMs === null ? null : uncertaintyMs]);
      byConnection.set(received.connection, frames);
    }
    this.#done = [];
    for (const [connection, frames] of byConnection) this.#send(connection, frames);
  }
}
