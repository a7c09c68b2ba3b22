/**
 * The camera that the page's address names, as in `/#garden/front`: so it can be linked, kept
 * and reloaded, and the browser's own way back leads to the wall.
 * @module
 */

/** Follows the address, and sets it. */
export class Address {
  /** @param {() => void} onChange the person went to another address */
  constructor(onChange) {
    addEventListener("popstate", onChange);
  }

  /** @returns {string | null} a camera's id */
  get camera() {
    try {
      return location.hash.slice(1).split("/").map(decodeURIComponent).join("/") || null;
    } catch {
      return null; // somebody typed a lone percent sign
    }
  }

  /** @param {string | null} camera that fills the page; null for the wall */
  put(camera) {
    const before = this.camera;
    if (camera === before) return;
    const hash = camera && `#${camera.split("/").map(encodeURIComponent).join("/")}`;
    const url = hash || location.pathname + location.search;
    if (camera && !before) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  }
}
