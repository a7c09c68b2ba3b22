/**
 * Puts the page together: link → fleet → tiles → painter → link. What could be decided in a
 * module beside it, it must not decide.
 * @module
 */

import { browserMs, HubClock } from "./clock.js";
import { Cursor } from "./cursor.js";
import { Demand } from "./demand.js";
import { Fleet } from "./fleet.js";
import { Header } from "./header.js";
import { listen } from "./keys.js";
import { Layout } from "./layout.js";
import { Link } from "./link.js";
import { formatPainted, formatPing } from "./message.js";
import { Painter } from "./painter.js";
import { Sizes, WHOLE } from "./sizes.js";
import { Stage } from "./stage.js";
import { Visibility } from "./visibility.js";

/** @typedef {import("./link.js").LinkState} LinkState */
/** @typedef {import("./message.js").Camera} Camera */
/** @typedef {import("./message.js").Frame} Frame */
/** @typedef {import("./message.js").TextMessage} TextMessage */
/** @typedef {import("./screen.js").PaintedDetail} PaintedDetail */
/** @typedef {import("./tile.js").Tile} Tile */

const PING_MS = 1000;
const FIRST_PINGS_MS = [0, 100, 200]; // the least round trip of three is a good start
const WORDS_MS = 500; // so that counted seconds neither stick nor jump

const list = element("wall");
const clock = new HubClock();
const link = new Link(new URL("/ws/wall", location.href.replace(/^http/, "ws")).href, {
  onState: followLink,
  onText: read,
  onFrame: take,
  onProblem: (error) => header.tellProblem(`${error}: reload the page`),
  onRefused: seekLogin,
});
const painter = new Painter(clock, acknowledge);
const fleet = new Fleet(list, painter);
const header = new Header({ onSearch: filter, onSize: arrange });
const layout = new Layout(element("room"), list);
const sizes = new Sizes(demandShown);
const visibility = new Visibility(demandShown);
const stage = new Stage(element("stage-bar"), demandShown);
const demand = new Demand((text) => link.send(text));
const cursor = new Cursor();
let isLinked = false;

listen({ move, leave: () => stage.close(), snapshot, search: () => header.focusSearch() });
list.addEventListener("painted", (event) => count(/** @type {CustomEvent} */ (event).detail));
list.addEventListener("click", open);
list.addEventListener("focusin", (event) => cursor.set(tileAt(event.target)));
element("previous").addEventListener("click", () => move(-1, 0));
element("next").addEventListener("click", () => move(1, 0));
element("close").addEventListener("click", () => stage.close());
document.addEventListener("visibilitychange", () => document.hidden || link.hurry());
new ResizeObserver(arrange).observe(element("room"));
for (const host of document.querySelectorAll(".host")) host.textContent = location.hostname;
setInterval(ping, PING_MS);
setInterval(tell, WORDS_MS);
link.start();

// From the hub

/** @param {LinkState} state */
function followLink(state) {
  isLinked = state.name === "connected";
  header.tellLink(state);
  if (isLinked) greet();
  tell();
}

/** Where the hub wants a log-in, its page for that comes in place of this one. */
async function seekLogin() {
  const asked = { method: "HEAD", redirect: "manual", headers: { Accept: "text/html" } };
  const answer = await fetch("/", /** @type {RequestInit} */ (asked)).catch(() => null);
  if (answer?.type === "opaqueredirect") location.reload();
}

/** The pings go first, so that the hub's time is known before the first frame comes. */
function greet() {
  clock.reset();
  for (const delayMs of FIRST_PINGS_MS) setTimeout(ping, delayMs);
  demand.renew();
}

/** @param {TextMessage} message */
function read(message) {
  if (message.type === "fleet") {
    followFleet(message.hub, message.cameras);
    if (message.ports) tellPorts(message.ports);
  }
  else if (message.type === "clock") {
    clock.add(message.sent_ms, message.received_ms, message.replied_ms, browserMs());
  } else if (message.type === "error") header.tellProblem(message.message);
  // A type that is unknown here belongs to a newer hub, which can do without an answer.
}

/**
 * @param {string} hub
 * @param {Camera[]} cameras
 */
function followFleet(hub, cameras) {
  const { added, removed } = fleet.update(cameras, browserMs());
  header.tellFleet(hub, cameras);
  for (const tile of removed) forget(tile);
  for (const tile of added) {
    visibility.watch(tile.element);
    sizes.watch(tile.element);
  }
  filter();
  tell();
}

/** @param {import("./message.js").Ports} ports */
function tellPorts({ nodes, imagezmq }) {
  element("nodes-port").textContent = String(nodes);
  element("imagezmq-port").textContent = String(imagezmq);
}

/** @param {Tile} tile */
function forget(tile) {
  visibility.forget(tile.element);
  sizes.forget(tile.element);
  if (stage.tile === tile) stage.close();
}

/**
 * @param {Frame} frame
 * @param {number} connection
 */
function take(frame, connection) {
  const received = { frame, connection };
  const tile = fleet.ofNumber(frame.tile);
  if (tile && !document.hidden) tile.take(received);
  else painter.skip(received);
}

// To the hub

function ping() {
  link.send(formatPing(browserMs()));
}

/**
 * @param {number} connection over which they came
 * @param {import("./message.js").Painted[]} frames
 */
function acknowledge(connection, frames) {
  // A restarted hub never sent the frames of its predecessor.
  if (connection === link.connection) link.send(formatPainted(frames));
}

function demandShown() {
  const tiles = stage.tile ? [stage.tile] : matching();
  const sizeOf = stage.tile ? () => WHOLE : (/** @type {Tile} */ one) => sizes.of(one.element);
  demand.update(tiles.filter((tile) => visibility.has(tile.element)), sizeOf);
}

// On the page

/** @param {PaintedDetail} painted */
function count(painted) {
  const uncertaintyMs = clock.offset(browserMs())?.uncertaintyMs ?? null;
  fleet.ofCamera(painted.camera)?.count(painted, uncertaintyMs);
}

function tell() {
  const browser = browserMs();
  const now = { browserMs: browser, hubMs: clock.at(browser), isLinked };
  for (const tile of fleet.tiles) tile.refresh(now);
  header.tick();
}

function matching() {
  const words = header.words;
  return fleet.tiles.filter((tile) => tile.matches(words));
}

function filter() {
  const matches = new Set(matching());
  for (const tile of fleet.tiles) tile.element.hidden = !matches.has(tile);
  element("empty").hidden = fleet.tiles.length > 0;
  element("none").hidden = matches.size > 0 || fleet.tiles.length === 0;
  cursor.settle([...matches]);
  arrange();
}

function arrange() {
  const shown = new Set(matching().map(({ id }) => id));
  layout.arrange(fleet.cameras.filter(({ id }) => shown.has(id)), header.columns);
}

/** @param {Event} event */
function open(event) {
  const tile = tileAt(event.target);
  if (tile && tile.button === event.target) stage.show(tile);
}

/**
 * @param {number} columns
 * @param {number} rows
 */
function move(columns, rows) {
  const steps = stage.tile ? columns + rows : columns + rows * layout.columns;
  const tile = cursor.ahead(matching(), steps);
  if (!tile) return;
  if (stage.tile) stage.show(tile);
  else tile.button.focus();
}

function snapshot() {
  if (cursor.tile?.hasPicture) cursor.tile.snapshot.click();
}

/** @param {EventTarget | null} target */
function tileAt(target) {
  const found = target instanceof Element && target.closest("[data-camera]");
  return (found && fleet.ofCamera(found.getAttribute("data-camera") ?? "")) || null;
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
