/**
 * Which tiles someone can see. Whatever is not seen is not asked of the hub.
 * @module
 */

/** Follows scrolling, filtering and the page's own visibility. */
export class Visibility {
  #onChange;
  /** @type {Set<Element>} */
  #seen = new Set();
  #observer = new IntersectionObserver((entries) => this.#take(entries));

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    document.addEventListener("visibilitychange", onChange);
  }

  /** @param {Element} element */
  watch(element) {
    this.#observer.observe(element);
  }

  /** @param {Element} element */
  forget(element) {
    this.#observer.unobserve(element);
    this.#seen.delete(element);
  }

  /** @param {Element} element */
  has(element) {
    return !document.hidden && this.#seen.has(element);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #take(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#seen.add(target);
      else this.#seen.delete(target);
    }
    this.#onChange();
  }
}
