/**
 * Which plots there are of a node and its cameras, and what each of them shows. Draws nothing.
 * @module
 */

/** @typedef {(number | null)[]} Line */

/**
 * What the hub answers of one stream; each line has a value per sample.
 * @typedef {object} StreamHistory
 * @property {import("./message.js").Camera} now
 * @property {string} profile
 * @property {Line} fps
 * @property {Line} asked_fps
 * @property {Line} captured_fps
 * @property {Record<string, {mean_ms: Line, p95_ms: Line}>} latency by stage
 * @property {Line} uncertainty_ms
 * @property {Line} painted_uncertainty_ms
 * @property {{place: string, reason: string, per_s: Line, count: number}[]} dropped
 * @property {Line} lost_per_s
 * @property {number} lost
 * @property {Line} rejected_per_s
 * @property {number} rejected
 * @property {(string | null)[]} states
 */

/**
 * What a node's machine reports; null where it cannot know.
 * @typedef {object} Machine
 * @property {number | null} temperature_c
 * @property {number | null} disk_free_share
 * @property {number | null} uptime_s
 * @property {number | null} wifi_signal_dbm
 * @property {boolean | null} is_under_voltage
 * @property {boolean | null} is_throttled
 * @property {boolean | null} was_under_voltage
 * @property {boolean | null} was_throttled
 */

/**
 * What the hub answers of a node.
 * @typedef {object} NodeHistory
 * @property {string} name
 * @property {"online" | "stale" | "offline"} state
 * @property {string} software
 * @property {boolean} has_heartbeat
 * @property {number | null} heard_s
 * @property {import("./message.js").Gone | null} gone
 * @property {import("./message.js").Rejection | null} rejection of what is about no camera
 * @property {number | null} clock_offset_ms
 * @property {number | null} clock_uncertainty_ms
 * @property {number | null} round_trip_ms
 * @property {number} interval_s
 * @property {number[]} ages_s
 * @property {Machine | null} machine
 * @property {Record<string, Line>} lines
 * @property {StreamHistory[]} streams
 */

/**
 * One line, or one layer of a stack.
 * @typedef {object} Series
 * @property {string} name
 * @property {string} [note] what that means
 * @property {number} colour 0 to 7
 * @property {Line} values
 * @property {boolean} [isDashed]
 * @property {boolean} [isHidden] it stands in the table alone
 * @property {Line} [uncertainty] how far each value may be off
 * @property {number} [total] of all samples together
 */

/**
 * @typedef {object} Plot
 * @property {string} key
 * @property {string} title
 * @property {string} unit
 * @property {Series[]} series
 * @property {boolean} [isStacked]
 * @property {boolean} [isFree] its axis need not begin at 0
 * @property {(string | null)[]} [marks] what happened at each sample, as text
 * @property {(string | null)[]} [states] of the camera at each sample
 */

// Where the uncertainty stands of the clocks that a latency was measured with.
const HUB = /** @type {const} */ ("uncertainty_ms");
const BROWSERS = /** @type {const} */ ("painted_uncertainty_ms");

const STAGES = [
  { stage: "encoded", note: "on the node", colour: 1 },
  { stage: "sent", note: "on the node", colour: 2 },
  { stage: "received", note: "by the hub", colour: 0, clocks: HUB },
  { stage: "delivered", note: "to programs", colour: 4, clocks: HUB },
  { stage: "painted", note: "in browsers", colour: 3, clocks: BROWSERS },
];

/** Pictures of a camera that is well: as many as one likes. @type {Record<string, string>} */
const BY_CHOICE = {
  unwanted: "nobody looked",
  still: "nothing moved",
  interval: "not due yet",
};

/** @type {Record<string, string>} */
const REASONS = {
  newer: "a newer one was there",
  no_credit: "the link was full",
  unfit: "could not be encoded",
  hot: "the node was too hot",
};

const DROP_COLOURS = [1, 3, 4, 2, 6, 0];
const [BAD, GREY] = [5, 7];

/**
 * @param {StreamHistory} stream
 * @returns {Plot[]}
 */
export function plotsOf(stream) {
  return [rates(stream), latencies(stream), drops(stream)];
}

/**
 * @param {NodeHistory} node
 * @returns {Plot[]}
 */
export function plotsOfMachine(node) {
  if (!node.has_heartbeat) return [];
  const { lines } = node;
  const machine = [temperature(lines), load(lines), wifi(lines)];
  const told = machine.filter(({ series }) => series.some(({ values }) => values.some((one) => one !== null)));
  return [link(lines), ...told];
}

/** @param {StreamHistory} stream @returns {Plot} */
function rates(stream) {
  /** @type {Series[]} */
  const series = [
    { name: "captured", note: "by the camera", colour: 1, isDashed: true, values: stream.captured_fps },
    { name: "received", note: "by the hub", colour: 0, values: stream.fps },
  ];
  if (stream.asked_fps.some((fps) => fps !== null)) {
    series.unshift({ name: "asked", note: "its setting", colour: GREY, values: stream.asked_fps });
  }
  return { key: "rate", title: "Rate", unit: "fps", states: stream.states, series };
}

/** @param {StreamHistory} stream @returns {Plot} */
function latencies(stream) {
  const known = STAGES.filter(({ stage }) => stream.latency[stage]);
  /** @type {Series[]} */
  const series = known.map(({ stage, note, colour, clocks }) => {
    const values = stream.latency[stage].mean_ms;
    const uncertainty = clocks && stream[clocks];
    return { name: `${stage}, mean`, note, colour, values, uncertainty };
  });
  const last = known.at(-1);
  if (last) {
    const values = stream.latency[last.stage].p95_ms;
    const note = "about 19 of 20 are below";
    series.push({ name: `${last.stage}, 95 %`, note, colour: last.colour, isDashed: true, values });
  }
  return { key: "latency", title: "Latency since capture", unit: "ms", series };
}

/** @param {StreamHistory} stream @returns {Plot} */
function drops(stream) {
  const { lost, lost_per_s, rejected, rejected_per_s } = stream;
  /** @type {Series[]} */
  const series = [{ name: "lost", note: "on the way", colour: BAD, values: lost_per_s, total: lost }];
  if (rejected) {
    const note = "could not be accepted";
    series.push({ name: "rejected", note, colour: 6, values: rejected_per_s, total: rejected });
  }
  let next = 0;
  for (const { place, reason, per_s: values, count: total } of stream.dropped) {
    const name = `dropped, ${place}: ${reason}`;
    const isHidden = place === "node" && reason in BY_CHOICE;
    const note = isHidden ? `${BY_CHOICE[reason]}; not drawn` : REASONS[reason];
    const colour = isHidden ? GREY : DROP_COLOURS[next++ % DROP_COLOURS.length];
    series.push({ name, note, colour, values, total, isHidden });
  }
  series.sort((one, other) => Number(one.isHidden ?? false) - Number(other.isHidden ?? false));
  return { key: "drops", title: "Dropped, lost, rejected", unit: "/s", isStacked: true, series };
}

/** @param {Record<string, Line>} lines @returns {Plot} */
function link(lines) {
  const marks = (lines.restarts ?? []).map((count) => (count ? "node started anew" : null));
  return {
    key: "link",
    title: "Link and clock",
    unit: "ms",
    marks,
    series: [
      { name: "round trip", note: "least of late", colour: 0, values: lines.round_trip_ms ?? [] },
      {
        name: "clock's uncertainty",
        note: "latencies may be off by it",
        colour: 3,
        isDashed: true,
        values: lines.uncertainty_ms ?? [],
      },
    ],
  };
}

/** @param {Record<string, Line>} lines @returns {Plot} */
function temperature(lines) {
  const values = lines.temperature_c ?? [];
  const marks = values.map((_, place) => {
    const found = [lines.under_voltage?.[place] && "under-voltage", lines.throttled?.[place] && "throttled"];
    return found.filter(Boolean).join(", ") || null;
  });
  const note = "of its processor";
  const series = [{ name: "temperature", note, colour: 1, values }];
  return { key: "temperature", title: "Temperature", unit: "°C", isFree: true, marks, series };
}

/** @param {Record<string, Line>} lines @returns {Plot} */
function load(lines) {
  const series = [
    { name: "processors", note: "busy, all of them", colour: 0, values: lines.cpu_percent ?? [] },
    { name: "memory", note: "used", colour: 3, isDashed: true, values: lines.memory_percent ?? [] },
  ];
  return { key: "load", title: "Load", unit: "%", series };
}

/** @param {Record<string, Line>} lines @returns {Plot} */
function wifi(lines) {
  const note = "nearer to 0 is better";
  const series = [{ name: "signal", note, colour: 4, values: lines.wifi_signal_dbm ?? [] }];
  return { key: "wifi", title: "Wi-Fi", unit: "dBm", isFree: true, series };
}
