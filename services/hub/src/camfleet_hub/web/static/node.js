/**
 * The page of one node: asks the hub every five seconds, and shows its plots and facts.
 * @module
 */

import { Moment, ago } from "./moment.js";
import { plotsOf, plotsOfMachine } from "./past.js";
import { Plot } from "./plot.js";
import { Preferences } from "./preferences.js";
import { duration, latency } from "./words.js";

/** @typedef {import("./past.js").NodeHistory} NodeHistory */
/** @typedef {import("./past.js").StreamHistory} StreamHistory */
/** @typedef {import("./past.js").Plot} Definition */
/** @typedef {import("./drawing.js").Samples} Samples */

const REFRESH_MS = 5000;
const SOON_MS = 1000; // while the hub does not answer
const PATIENCE_MS = 10_000;
const SAMPLES = 120;

const name = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const path = `/api/nodes/${encodeURIComponent(name)}/history`;
const moment = new Moment();
/** @type {Map<Element, Map<string, Plot>>} by where they stand */
const plots = new Map();
/** @type {Map<string, HTMLElement>} by stream */
const parts = new Map();
/** @type {number | null} */
let answeredMs = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

element("name").textContent = name;
element("unknown-name").textContent = name;
document.title = `${name} · camfleet`;
document.documentElement.dataset.theme = new Preferences(location.search).get("theme") ?? "auto";
document.addEventListener("visibilitychange", () => document.hidden || ask());
ask();

async function ask() {
  clearTimeout(timer);
  const isAnswered = await look().catch(() => false);
  if (!isAnswered) tellSilence();
  clearTimeout(timer); // somebody came back to the page meanwhile
  timer = setTimeout(() => document.hidden || ask(), isAnswered ? REFRESH_MS : SOON_MS);
}

/** Whether the hub answered. */
async function look() {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 401) location.reload(); // its page for the log-in comes in place of this one
  if (answer.status !== 404 && !answer.ok) return false;
  const isKnown = answer.ok;
  if (isKnown) show(await answer.json());
  element("known").hidden = !isKnown;
  element("unknown").hidden = isKnown;
  element("state").hidden = !isKnown;
  element("news").textContent = isKnown ? "" : "looking for it";
  answeredMs = performance.now();
  return true;
}

function tellSilence() {
  const age = answeredMs === null ? "" : `; these numbers are from ${ago((performance.now() - answeredMs) / 1000)}`;
  element("news").textContent = `the hub does not answer${age}`;
}

/** @param {NodeHistory} node */
function show(node) {
  tellState(element("state"), element("state-word"), node.state);
  tellFacts(factsOf(node));
  const samples = { agesS: node.ages_s, intervalS: node.interval_s, spanS: node.interval_s * SAMPLES };
  const ids = new Set(node.streams.map(idOf));
  for (const [id, part] of parts) {
    if (ids.has(id)) continue;
    showPlots(part, [], samples, "");
    plots.delete(part);
    parts.delete(id);
    part.remove();
  }
  for (const stream of node.streams) showStream(stream, samples);
  const machine = plotsOfMachine(node);
  element("machine").hidden = machine.length === 0;
  showPlots(element("machine"), machine, samples, "the node itself");
}

/** @param {NodeHistory} node @returns {[string, string][]} */
function factsOf(node) {
  const restarts = (node.lines.restarts ?? []).reduce((sum, count) => (sum ?? 0) + (count ?? 0), 0) ?? 0;
  /** @type {[string, string | null][]} */
  const facts = [
    ["Software", node.software || (node.has_heartbeat ? null : "stock imagezmq, which tells little")],
    ["Last heard", node.heard_s === null ? null : ago(node.heard_s)],
    ["Gone", node.gone && node.gone.detail],
    ["Rejected just now", node.rejection && `${node.rejection.reason} (${node.rejection.problem})`],
    ["Round trip", node.round_trip_ms === null ? null : `${node.round_trip_ms.toFixed(1)} ms`],
    ["Hub's clock minus its own", node.clock_offset_ms === null ? null : latency(node.clock_offset_ms, node.clock_uncertainty_ms)],
    ...machineFacts(node.machine),
    ["Starts in ten minutes", node.has_heartbeat ? String(restarts) : null],
  ];
  return /** @type {[string, string][]} */ (facts.filter(([, value]) => value));
}

/** @param {import("./past.js").Machine | null} machine @returns {[string, string | null][]} */
function machineFacts(machine) {
  if (!machine) return [];
  const { temperature_c: celsius, disk_free_share: disk, uptime_s: uptime, wifi_signal_dbm: wifi } = machine;
  return [
    ["Temperature", celsius === null ? null : `${celsius.toFixed(1)} °C`],
    ["Power", power(machine)],
    ["Wi-Fi", wifi === null ? null : `${wifi.toFixed(0)} dBm`],
    ["Disk free", disk === null ? null : `${(100 * disk).toFixed(0)} %`],
    ["Up for", uptime === null ? null : duration(1000 * uptime)],
  ];
}

/**
 * What the machine says of its supply and of clocks that are held back; null where nothing.
 * @param {import("./past.js").Machine} machine
 * @returns {string | null}
 */
function power(machine) {
  const claims = [machine.is_under_voltage, machine.is_throttled];
  if (claims.every((claim) => claim === null)) return null;
  const now = [claims[0] && "under-voltage", claims[1] && "throttled"].filter(Boolean);
  if (now.length) return `${now.join(", ")} now`;
  const before = [machine.was_under_voltage && "under-voltage", machine.was_throttled && "throttled"];
  return before.some(Boolean) ? `well now; since its start ${before.filter(Boolean).join(", ")}` : "well";
}

/** @param {[string, string][]} facts */
function tellFacts(facts) {
  element("facts").replaceChildren(...facts.map(([term, value]) => {
    const fact = document.createElement("div");
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = value;
    fact.append(dt, dd);
    return fact;
  }));
}

/** @param {StreamHistory} stream */
function idOf({ now, profile }) {
  return `${now.camera}/${profile}`;
}

/**
 * @param {StreamHistory} stream
 * @param {Samples} samples
 */
function showStream(stream, samples) {
  const id = idOf(stream);
  const { now } = stream;
  const title = stream.profile === "main" ? now.camera : `${now.camera}, ${stream.profile}`;
  const part = parts.get(id) ?? makePart(id, stream, title);
  const size = now.width && now.height ? `${now.width} × ${now.height}, ` : "";
  const age = now.age_ms === null ? "no picture yet" : `last picture ${ago(now.age_ms / 1000)}`;
  tellState(part, child(part, ".part-state"), now.state, `, ${size}${age}`);
  showPlots(part, plotsOf(stream), samples, title);
}

/**
 * @param {string} id
 * @param {StreamHistory} stream
 * @param {string} title
 */
function makePart(id, { now, profile }, title) {
  const template = /** @type {HTMLTemplateElement} */ (element("camera"));
  const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const part = /** @type {HTMLElement} */ (copy.firstElementChild);
  part.dataset.stream = id;
  child(part, ".part-name").textContent = title;
  part.setAttribute("aria-label", title);
  const urlPath = [now.node, now.camera].map(encodeURIComponent).join("/");
  child(part, ".snapshot").setAttribute("href", `/snapshot/${urlPath}.jpg`);
  child(part, ".mjpeg").setAttribute("href", `/mjpeg/${urlPath}`);
  child(part, ".part-links").hidden = profile !== "main";
  parts.set(id, part);
  element("cameras").append(part);
  return part;
}

/**
 * Show these plots, and no others that were here before: a sensor may fall silent.
 * @param {HTMLElement} part
 * @param {Definition[]} definitions
 * @param {Samples} samples
 * @param {string} owner
 */
function showPlots(part, definitions, samples, owner) {
  /** @type {Map<string, Plot>} */
  const known = plots.get(part) ?? new Map();
  plots.set(part, known);
  const keys = new Set(definitions.map(({ key }) => key));
  for (const [key, plot] of known) {
    if (keys.has(key)) continue;
    plot.close();
    known.delete(key);
  }
  for (const definition of definitions) {
    const plot = known.get(definition.key) ?? makePlot(part, owner);
    known.set(definition.key, plot);
    plot.show(definition, samples);
  }
}

/**
 * @param {HTMLElement} part
 * @param {string} owner
 */
function makePlot(part, owner) {
  const plot = new Plot(/** @type {HTMLTemplateElement} */ (element("plot")), moment, owner);
  child(part, ".plots").append(plot.element);
  return plot;
}

/**
 * @param {HTMLElement} where
 * @param {HTMLElement} word
 * @param {string} state
 * @param {string} more
 */
function tellState(where, word, state, more = "") {
  where.dataset.state = state;
  word.textContent = `${state}${more}`;
}

/**
 * @param {HTMLElement} parent
 * @param {string} selector
 */
function child(parent, selector) {
  return /** @type {HTMLElement} */ (parent.querySelector(selector));
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
