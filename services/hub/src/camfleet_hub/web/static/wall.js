/**
 * Puts the page together: link → fleet → tiles → painter → link. What could be decided in a
 * module beside it, it must not decide.
 * @module
 */

import { Absent } from "./absent.js";
import { Address } from "./address.js";
import { Board } from "./board.js";
import { browserMs, HubClock } from "./clock.js";
import { Controls } from "./controls.js";
import { Cursor } from "./cursor.js";
import { Cycle, periodOf } from "./cycle.js";
import { Demand } from "./demand.js";
import { Empty } from "./empty.js";
import { Fleet } from "./fleet.js";
import { Hand } from "./hand.js";
import { Header } from "./header.js";
import { Kiosk } from "./kiosk.js";
import { Layout } from "./layout.js";
import { Link } from "./link.js";
import { formatPainted, formatPing } from "./message.js";
import { News } from "./news.js";
import { Painter } from "./painter.js";
import { Pause } from "./pause.js";
import { Preferences } from "./preferences.js";
import { Rejected } from "./rejected.js";
import { seekLogin, tellSession } from "./session.js";
import { Sizes, WHOLE } from "./sizes.js";
import { announce } from "./speech.js";
import { Stage } from "./stage.js";
import { View } from "./view.js";
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

const PAGE = document.querySelector('meta[name="page"]')?.getAttribute("content");

const list = element("wall");
const preferences = new Preferences(location.search);
const isKiosk = preferences.isAsked("kiosk");
const clock = new HubClock();
const link = new Link(new URL("/ws/wall", location.href.replace(/^http/, "ws")).href, {
  onState: followLink,
  onText: read,
  onFrame: take,
  onProblem: (error) => header.tellProblem(`${error}: reload the page`),
  onRefused: seekLogin,
});
const painter = new Painter(clock, acknowledge);
const fleet = new Fleet(painter);
const absent = new Absent();
const news = new News();
const header = new Header(preferences.get("search") ?? "", filter);
const empty = new Empty();
const rejected = new Rejected();
const view = new View(preferences, {
  onChange: filter,
  onReset: () => hand.reset(),
  onHidden: () => hand.toggleHidden(),
});
const layout = new Layout(element("room"), list);
const periodS = isKiosk ? periodOf(preferences.get("cycle")) : 0;
const cycle = new Cycle(element("sheet"), periodS, { onTurn: rearrange, isHeld });
const board = new Board(list, preferences, rearrange, (all) => cycle.cut(all, fits));
const sizes = new Sizes(demandShown);
const visibility = new Visibility(demandShown);
const stage = new Stage(element("stage-bar"), followStage);
const address = new Address(followAddress);
const demand = new Demand((text) => link.send(text));
const cursor = new Cursor();
const kiosk = new Kiosk();
const hand = new Hand(board, rearrange);
const pause = new Pause(fleet, followPause);
const reach = { board, cursor, cycle, fleet, hand, header, pause, stage };
const controls = new Controls(list, element("room"), reach);
let isLinked = false;

list.addEventListener("painted", (event) => count(/** @type {CustomEvent} */ (event).detail));
document.addEventListener("visibilitychange", () => document.hidden || link.hurry());
new ResizeObserver(periodS ? rearrange : arrange).observe(element("room"));
setInterval(ping, PING_MS);
setInterval(tell, WORDS_MS);
if (isKiosk) kiosk.start();
if (!element("logout").hidden) void tellSession(element("user"));
controls.listen();
link.start();

// From the hub

/** @param {LinkState} state */
function followLink(state) {
  isLinked = state.name === "connected";
  header.tellLink(state);
  if (isLinked) greet();
  tell();
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
    rejected.tell(message.rejected ?? []);
    if (message.ports) empty.tellPorts(message.ports);
    if (message.page && PAGE && message.page !== PAGE) followPage(message.page);
  } else if (message.type === "clock") {
    clock.add(message.sent_ms, message.received_ms, message.replied_ms, browserMs());
  } else if (message.type === "error") header.tellProblem(message.message);
  // A type that is unknown here belongs to a newer hub, which can do without an answer.
}

/**
 * @param {string} hub
 * @param {Camera[]} cameras
 */
function followFleet(hub, cameras) {
  const nowMs = browserMs();
  const known = absent.fill(cameras, nowMs);
  const { added, removed } = fleet.update(known, nowMs);
  header.tellFleet(hub, known);
  news.follow(fleet.tiles, nowMs);
  for (const tile of removed) forget(tile);
  for (const tile of added) {
    visibility.watch(tile.element);
    sizes.watch(tile.element);
    tile.pause(pause.isWhole, nowMs);
  }
  rearrange();
  if (added.length) followAddress();
  tell();
}

/** @param {string} page the hub's is another one than this */
function followPage(page) {
  if (isKiosk) kiosk.reload(page);
  else header.tellOutdated();
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
  if (tile && !document.hidden && !tile.isPaused) tile.take(received);
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

/** On the stage a camera is shown at its full size. */
function demandShown() {
  const tiles = stage.tile ? [stage.tile] : board.tiles;
  const seen = tiles.filter((tile) => visibility.has(tile.element) && !tile.isPaused);
  const sizeOf = stage.tile ? () => WHOLE : (/** @type {Tile} */ one) => sizes.of(one.element);
  demand.update(seen, sizeOf);
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
  const text = news.next(browser);
  if (text) announce(text);
}

function filter() {
  board.arrange(fleet.tiles, header.search, view.grouping);
  empty.show(fleet.tiles.length > 0, board.sections.some(({ tiles }) => tiles.length));
  view.tellHidden(board.hiddenCount, board.showsHidden);
  cursor.settle(stage.tile ? [stage.tile] : board.tiles);
  arrange();
  demandShown();
}

function arrange() {
  layout.arrange(board.sections, view.columns, !isKiosk);
}

/** @param {import("./board.js").Section[]} sections */
function fits(sections) {
  return layout.fits(sections, view.columns);
}

/** What is turned away, hidden or pushed off the sheet leaves the keyboard to a tile on it. */
function rearrange() {
  const focused = document.activeElement;
  filter();
  if (list.contains(focused) && focused?.closest("[hidden]")) cursor.tile?.button.focus();
}

/** Whether somebody wants to go on looking at this sheet. */
function isHeld() {
  return pause.isWhole || Boolean(stage.tile) || board.tiles.some((tile) => tile.isPaused);
}

function followPause() {
  demandShown();
  cycle.tell();
  tell();
}

// The stage and the page's address follow each other

function followStage() {
  address.put(stage.tile?.id ?? null);
  rearrange();
}

/** A camera that is not there yet is shown when it comes. */
function followAddress() {
  const { camera } = address;
  const tile = camera === null ? undefined : fleet.ofCamera(camera);
  if (tile) stage.show(tile);
  else if (camera === null) stage.close();
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
