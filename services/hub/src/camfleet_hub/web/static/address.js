/**
 * What the page's address names: a node, or a camera as in `/#garden/front`, so that it can be
 * linked, kept and reloaded, and the browser's own way back leads to the wall.
 * @module
 */

/**
 * @param {string} path such as `/node/garden`
 * @returns {string} as it stands there where it cannot be decoded: the hub knows no such node
 */
export function nodeIn(path) {
  const part = path.split("/")[2] ?? "";
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // somebody typed a lone percent sign
  }
}

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
