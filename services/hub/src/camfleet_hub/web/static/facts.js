/**
 * What is known of a node and its machine now, in words. Asks nothing of the hub.
 * @module
 */

import { ago } from "./moment.js";
import { duration, latency } from "./words.js";

/** @typedef {import("./past.js").Machine} Machine */
/** @typedef {import("./past.js").NodeHistory} NodeHistory */

/**
 * Each with its term; what nobody knows is left out.
 * @param {NodeHistory} node
 * @returns {[string, string][]}
 */
export function factsOf(node) {
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

/**
 * @param {Machine | null} machine
 * @returns {[string, string | null][]}
 */
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
 * @param {Machine} machine
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

/**
 * @param {HTMLElement} list
 * @param {[string, string][]} facts
 */
export function tellFacts(list, facts) {
  list.replaceChildren(...facts.map(([term, value]) => {
    const fact = document.createElement("div");
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = value;
    fact.append(dt, dd);
    return fact;
  }));
}
