/**
 * The bar above the wall: how many are online, how the link is, and the search.
 * @module
 */

/** @typedef {import("./link.js").LinkState} LinkState */
/** @typedef {import("./message.js").Camera} Camera */

const PRODUCT = "camfleet";
const OUTDATED = "the hub is newer than this page: reload it";

/** Tells, and asks. */
export class Header {
  #online = part("online");
  #hub = part("hub");
  #link = part("link");
  #countdown = part("countdown");
  #problem = part("problem");
  #search = /** @type {HTMLInputElement} */ (part("search"));
  /** @type {Camera[]} */
  #cameras = [];
  #isOutdated = false;
  /** @type {LinkState} */
  #state = { name: "connecting" };

  /**
   * @param {string} search that it begins with
   * @param {() => void} onSearch
   */
  constructor(search, onSearch) {
    this.#search.value = search;
    this.#search.addEventListener("input", onSearch);
    this.#search.addEventListener("keydown", (event) => this.#leaveSearch(event));
  }

  /** What is searched for. */
  get search() {
    return this.#search.value;
  }

  focusSearch() {
    this.#search.select();
  }

  /**
   * @param {string} hub
   * @param {Camera[]} cameras
   */
  tellFleet(hub, cameras) {
    this.#cameras = cameras;
    this.#hub.textContent = hub === PRODUCT ? "" : hub; // a hub that nobody named
    this.tellProblem(this.#isOutdated ? OUTDATED : "");
    this.#count();
  }

  /** @param {LinkState} state */
  tellLink(state) {
    this.#state = state;
    this.#link.dataset.state = state.name;
    // Read aloud, so it changes with the state only; the seconds stand beside it.
    const text = state.name === "waiting" ? "reconnecting" : state.name;
    if (this.#link.textContent !== text) this.#link.textContent = text;
    this.#count();
    this.tick();
  }

  /** Count down to the next attempt. */
  tick() {
    const state = this.#state;
    const leftMs = state.name === "waiting" ? state.retryMs - performance.now() : 0;
    const text = leftMs > 0 ? `in ${Math.ceil(leftMs / 1000)} s` : "";
    if (this.#countdown.textContent !== text) this.#countdown.textContent = text;
  }

  /** @param {string} text */
  tellProblem(text) {
    // Read aloud, so it changes only where it does.
    if (this.#problem.textContent !== text) this.#problem.textContent = text;
  }

  /** The hub has another page than this one, and stays so. */
  tellOutdated() {
    this.#isOutdated = true;
    this.tellProblem(OUTDATED);
  }

  /** Without a link nobody knows how many are online. */
  #count() {
    const all = this.#cameras.length;
    const online = this.#cameras.filter(({ state }) => state === "online").length;
    const isLinked = this.#state.name === "connected";
    const known = isLinked ? `${online} of ${all} online` : `${all} cameras`;
    this.#online.textContent = all ? known : "no camera yet";
    this.#online.classList.toggle("some", isLinked && online < all);
    const short = isLinked ? `${online}/${all}` : "no link";
    document.title = [short, this.#hub.textContent, PRODUCT].filter(Boolean).join(" · ");
  }

  /** @param {KeyboardEvent} event */
  #leaveSearch({ key }) {
    if (key !== "Enter" && key !== "Escape") return;
    if (key === "Escape" && this.#search.value) {
      this.#search.value = "";
      this.#search.dispatchEvent(new Event("input"));
    } else this.#search.blur();
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function part(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
