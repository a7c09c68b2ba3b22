/**
 * What became of the cameras, for who does not see it: one sentence for all that changed, and
 * none for what was over before it could be said. Reads no clock.
 * @module
 */

const GATHER_MS = 2000; // a node that leaves takes all its cameras along
const PAUSE_MS = 6000; // between two sentences
const MOST_NAMES = 3;
const GONE = "gone";
const STATES = ["rejected", "offline", "stale", "online", GONE]; // what wants a look comes first

/** @typedef {{spoken: string, id: string, state: string}} Told */

/** Remembers what was told last of every camera. */
export class News {
  /** @type {Map<string, Told> | null} null before the hub told of any */
  #told = null;
  /** @type {Map<string, Told>} */
  #now = new Map();
  /** @type {number | null} when something first was other than it was told */
  #changedMs = null;
  #spokenMs = -Infinity;

  /**
   * @param {Told[]} cameras all there are
   * @param {number} nowMs
   */
  follow(cameras, nowMs) {
    this.#now = new Map(cameras.map(({ id, spoken, state }) => [id, { id, spoken, state }]));
    this.#told ??= this.#now; // whoever opens the page reads it
    if (!this.#changes.length) this.#changedMs = null;
    else this.#changedMs ??= nowMs;
  }

  /**
   * What is to be said now.
   * @param {number} nowMs
   * @returns {string} empty where nothing is
   */
  next(nowMs) {
    if (this.#changedMs === null || nowMs - this.#changedMs < GATHER_MS) return "";
    if (nowMs - this.#spokenMs < PAUSE_MS) return "";
    const text = sentence(this.#changes);
    this.#told = this.#now;
    this.#changedMs = null;
    this.#spokenMs = nowMs;
    return text;
  }

  /** @returns {Told[]} */
  get #changes() {
    const told = this.#told ?? this.#now;
    const other = [...this.#now.values()].filter(({ id, state }) => told.get(id)?.state !== state);
    const gone = [...told.values()].filter(({ id }) => !this.#now.has(id));
    return [...other, ...gone.map((camera) => ({ ...camera, state: GONE }))];
  }
}

/**
 * Such as "2 cameras offline: garden / door, pond / west; 1 camera online: attic / roof".
 * @param {Told[]} changes
 */
function sentence(changes) {
  const parts = STATES.flatMap((state) => {
    const names = changes.filter((one) => one.state === state).map(({ spoken }) => spoken);
    if (!names.length) return [];
    const count = names.length === 1 ? "1 camera" : `${names.length} cameras`;
    const more = names.length - MOST_NAMES;
    const rest = more > 0 ? ` and ${more} more` : "";
    return [`${count} ${state}: ${names.slice(0, MOST_NAMES).join(", ")}${rest}`];
  });
  return parts.join("; ");
}
