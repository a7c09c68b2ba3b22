/**
 * What is searched for: words of a name, `node:garden` and `state:stale`. Pure functions.
 * @module
 */

/**
 * @typedef {object} Searched
 * @property {string} id `node/camera`
 * @property {string} node
 * @property {string} state
 */

/** @type {Record<string, (camera: Searched, word: string) => boolean>} */
const FIELDS = {
  node: ({ node }, word) => node.toLowerCase().includes(word),
  state: ({ state }, word) => state.startsWith(word),
};

/**
 * Whether every word of a search is true of a camera.
 * @param {string} search
 * @param {Searched} camera
 */
export function matches(search, camera) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => {
    const [field, rest] = split(word);
    if (Object.hasOwn(FIELDS, field)) return FIELDS[field](camera, rest);
    return camera.id.toLowerCase().includes(word);
  });
}

/** @param {string} word */
function split(word) {
  const at = word.indexOf(":");
  return [word.slice(0, Math.max(0, at)), word.slice(at + 1)];
}
