/**
 * What each key does. Must leave alone what is typed into a field, and the browser's own keys.
 * @module
 */

/**
 * @typedef {object} Actions
 * @property {(columns: number, rows: number) => void} move to another tile
 * @property {() => void} leave the stage
 * @property {() => void} snapshot of the present tile
 * @property {() => void} search
 */

/** @type {Record<string, (actions: Actions) => void>} */
const KEYS = {
  ArrowLeft: ({ move }) => move(-1, 0),
  ArrowRight: ({ move }) => move(1, 0),
  ArrowUp: ({ move }) => move(0, -1),
  ArrowDown: ({ move }) => move(0, 1),
  Escape: ({ leave }) => leave(),
  s: ({ snapshot }) => snapshot(),
  "/": ({ search }) => search(),
};

/** @param {Actions} actions */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined;
    if (!act || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
    event.preventDefault(); // else an arrow scrolls, and "/" opens the browser's own search
    act(actions);
  });
}

/** @param {EventTarget | null} target */
function isField(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
}
