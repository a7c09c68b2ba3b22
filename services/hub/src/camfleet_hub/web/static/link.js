/**
 * The WebSocket to the hub, opened again whenever it is lost. Knows nothing of tiles.
 * @module
 */

import { parseFrames, parseText } from "./message.js";

/** @typedef {import("./message.js").Frame} Frame */
/** @typedef {import("./message.js").TextMessage} TextMessage */

/**
 * @typedef {object} Waiting
 * @property {"waiting"} name
 * @property {number} retryMs when it will try again, on the clock of performance.now()
 */

/** @typedef {{name: "connecting"} | {name: "connected"} | Waiting} LinkState */

/**
 * @typedef {object} Handlers
 * @property {(state: LinkState) => void} onState
 * @property {(message: TextMessage) => void} onText
 * @property {(frame: Frame, connection: number) => void} onFrame
 * @property {(error: unknown) => void} onProblem the hub sent what cannot be read
 * @property {() => void} onRefused a connection was not opened: the hub is away, or wants a log-in
 */

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000; // a person who just restarted the hub still waits for that
const SILENCE_MS = 5000; // the hub speaks every second, so five times nothing is a dead link
const WATCH_MS = 1000;

/**
 * How long to wait before the next attempt: twice as long each time, and a random half of it,
 * lest all browsers of a restarted hub come back at the same instant.
 * @param {number} failures in a row
 * @param {number} random from 0 to 1
 */
export function backoffMs(failures, random) {
  const longestMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
  return longestMs * (0.5 + random / 2);
}

/** One connection at a time, for as long as the page lives. */
export class Link {
  /** Counts connections, so that what arrived over an earlier one is not answered over this. */
  connection = 0;

  #url;
  #handlers;
  #failures = 0;
  #openedMs = 0;
  #heardMs = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  /**
   * @param {string} url
   * @param {Handlers} handlers
   */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  /** Connect, and stay so. */
  start() {
    this.#open();
    setInterval(() => this.#watch(), WATCH_MS);
    addEventListener("online", () => this.hurry());
  }

  /** Try now instead of when the time has come: someone looks, or the network is back. */
  hurry() {
    if (!this.#socket) this.#open();
  }

  /**
   * Send, or drop it where no connection is open: whatever counts is sent anew by the next one.
   * @param {string} text
   */
  send(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #open() {
    clearTimeout(this.#retry);
    this.#handlers.onState({ name: "connecting" });
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#greet();
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = () => {
      if (!this.#openedMs) this.#handlers.onRefused();
      this.#lose();
    };
    this.#socket = socket;
    this.#heardMs = performance.now();
    this.connection += 1;
  }

  #greet() {
    this.#openedMs = this.#heardMs = performance.now();
    this.#handlers.onState({ name: "connected" });
  }

  /** @param {string | ArrayBuffer} data */
  #take(data) {
    this.#heardMs = performance.now();
    try {
      if (typeof data === "string") this.#handlers.onText(parseText(data));
      else for (const frame of parseFrames(data)) this.#handlers.onFrame(frame, this.connection);
    } catch (error) {
      // Such a frame cannot be acknowledged, so its tile would stop: start anew, and say so.
      this.#handlers.onProblem(error);
      this.#lose();
    }
  }

  /** A cable that was pulled closes nothing: only silence tells. */
  #watch() {
    if (this.#socket && performance.now() - this.#heardMs > SILENCE_MS) this.#lose();
  }

  #lose() {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null; // its farewell may take minutes
    socket.close();
    this.#retryLater();
  }

  #retryLater() {
    // Only a connection that lasted clears the count: else a hub that refuses us is hammered.
    const hasLasted = this.#openedMs && performance.now() - this.#openedMs > SILENCE_MS;
    if (hasLasted) this.#failures = 0;
    this.#openedMs = 0;
    const waitMs = backoffMs(this.#failures++, Math.random());
    this.#retry = setTimeout(() => this.#open(), waitMs);
    this.#handlers.onState({ name: "waiting", retryMs: performance.now() + waitMs });
  }
}
