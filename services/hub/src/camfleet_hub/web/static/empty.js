/**
 * What stands on the wall in place of cameras: how to get the first one, or that none is like
 * what is searched for.
 * @module
 */

/** Knows where this hub is, and no camera. */
export class Empty {
  #first = element("empty");
  #none = element("none");

  constructor() {
    for (const host of document.querySelectorAll(".host")) host.textContent = location.hostname;
  }

  /** @param {import("./message.js").Ports} ports */
  tellPorts({ nodes, imagezmq }) {
    element("nodes-port").textContent = String(nodes);
    element("imagezmq-port").textContent = String(imagezmq);
  }

  /**
   * @param {boolean} isAny whether there is a camera
   * @param {boolean} isFound whether one stands on the wall, or below a heading that is folded
   */
  show(isAny, isFound) {
    this.#first.hidden = isAny;
    this.#none.hidden = isFound || !isAny;
  }
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
