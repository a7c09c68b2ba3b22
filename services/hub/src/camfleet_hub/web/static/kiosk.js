/**
 * The page on a display that nobody sits at: no bar, no pointer, no sleep, and always the newest
 * page. `?kiosk` in the address makes it so.
 * @module
 */

const IDLE_MS = 3000;
const RELOADED = "camfleet.reloaded";

/** Hides the pointer, and keeps the display awake where the browser allows that. */
export class Kiosk {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;

  start() {
    document.body.classList.add("kiosk");
    addEventListener("pointermove", () => this.#stir());
    // A lock ends when the page is hidden; browsers grant it over HTTPS and on localhost only.
    document.addEventListener("visibilitychange", () => void this.#stayAwake());
    void this.#stayAwake();
    this.#stir();
  }

  /**
   * Take the place of this page by a newer hub's, but once: a proxy may still have the old one.
   * @param {string} page the hub's
   */
  reload(page) {
    try {
      if (sessionStorage.getItem(RELOADED) === page) return;
      sessionStorage.setItem(RELOADED, page);
    } catch {
      return; // storage is forbidden here: it would begin anew for ever
    }
    location.reload();
  }

  #stir() {
    clearTimeout(this.#idle);
    document.body.classList.remove("idle");
    this.#idle = setTimeout(() => document.body.classList.add("idle"), IDLE_MS);
  }

  async #stayAwake() {
    if (document.hidden) return;
    await navigator.wakeLock?.request("screen").catch(() => null);
  }
}
