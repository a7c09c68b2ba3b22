/**
 * The page of one node: asks the hub every five seconds, and shows its plots and facts.
 * @module
 */

import { nodeIn } from "./address.js";
import { factsOf, tellFacts } from "./facts.js";
import { Moment, ago } from "./moment.js";
import { idOf, Part } from "./part.js";
import { plotsOfMachine } from "./past.js";
import { Plots } from "./plots.js";
import { Preferences } from "./preferences.js";

/** @typedef {import("./past.js").NodeHistory} NodeHistory */

const REFRESH_MS = 5000;
const SOON_MS = 1000; // while the hub does not answer
const PATIENCE_MS = 10_000;
const SAMPLES = 120;

const name = nodeIn(location.pathname);
const path = `/api/nodes/${encodeURIComponent(name)}/history`;
const moment = new Moment();
const machinePlots = new Plots(element("machine"), moment, "the node itself");
/** @type {Map<string, Part>} by stream */
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
  element("state").dataset.state = node.state;
  element("state-word").textContent = node.state;
  tellFacts(element("facts"), factsOf(node));
  const samples = { agesS: node.ages_s, intervalS: node.interval_s, spanS: node.interval_s * SAMPLES };
  const ids = new Set(node.streams.map(idOf));
  for (const [id, part] of parts) {
    if (ids.has(id)) continue;
    part.close();
    parts.delete(id);
  }
  for (const stream of node.streams) {
    const part = parts.get(idOf(stream)) ?? new Part(stream, moment);
    parts.set(idOf(stream), part);
    if (!part.element.isConnected) element("cameras").append(part.element);
    part.show(stream, samples);
  }
  const machine = plotsOfMachine(node);
  element("machine").hidden = machine.length === 0;
  machinePlots.show(machine, samples);
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
