/**
 * What each key does. Must leave alone what is typed into a field, and the browser's own keys.
 * The page's help names them too.
 * @module
 */

/**
 * @typedef {object} Actions
 * @property {(columns: number, rows: number) => void} move to another tile
 * @property {(columns: number, rows: number) => void} carry the present tile to another place
 * @property {() => void} leave the stage
 * @property {() => void} snapshot of the present tile
 * @property {() => void} search
 * @property {() => void} pause the present tile
 * @property {() => void} pauseAll
 * @property {() => void} resize the present tile
 * @property {() => void} hide the present tile
 * @property {() => void} help
 * @property {() => boolean} isStaged whether one tile fills the page
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
  p: ({ pause }) => pause(),
  P: ({ pauseAll }) => pauseAll(),
  d: ({ resize }) => resize(),
  h: ({ hide }) => hide(),
  "?": ({ help }) => help(),
};

/** @type {Record<string, (actions: Actions) => void>} */
const SHIFTED = {
  ArrowLeft: ({ carry }) => carry(-1, 0),
  ArrowRight: ({ carry }) => carry(1, 0),
  ArrowUp: ({ carry }) => carry(0, -1),
  ArrowDown: ({ carry }) => carry(0, 1),
};

/** @param {Actions} actions */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open], :popover-open")) return; // they have keys of their own
    const act = find(event, actions.isStaged());
    if (!act || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
    event.preventDefault(); // else an arrow scrolls, and "/" opens the browser's own search
    act(actions);
  });
}

/**
 * @param {KeyboardEvent} event
 * @param {boolean} isStaged then the space bar pauses; elsewhere it presses a button
 */
function find({ key, shiftKey, target }, isStaged) {
  if (key === " " && isStaged && isPicture(target)) return KEYS.p;
  if (shiftKey && Object.hasOwn(SHIFTED, key)) return SHIFTED[key];
  return Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
}

/** @param {EventTarget | null} target */
function isPicture(target) {
  return target === document.body || (target instanceof Element && target.matches(".open"));
}

/** @param {EventTarget | null} target */
function isField(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
}
