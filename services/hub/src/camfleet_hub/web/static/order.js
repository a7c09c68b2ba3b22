/**
 * The order of cameras as a person wants it, though cameras come and go. Pure functions on
 * lists of ids; never touches the page.
 * @module
 */

/**
 * All of the first list, and what only the second has: each behind the one that it follows there.
 * @param {string[]} first
 * @param {string[]} second
 */
export function merged(first, second) {
  const result = [...first];
  const known = new Set(first);
  second.forEach((id, i) => {
    if (known.has(id)) return;
    known.add(id);
    result.splice(i ? result.indexOf(second[i - 1]) + 1 : 0, 0, id);
  });
  return result;
}

/**
 * The cameras that are here, in the kept order; a new one stands where the hub has it.
 * @param {string[]} kept may name cameras that are gone
 * @param {string[]} ids in the hub's order
 */
export function arranged(kept, ids) {
  const here = new Set(ids);
  return merged(kept.filter((id) => here.has(id)), ids);
}

/**
 * Put one where another stands; that one makes room.
 * @param {string[]} ids
 * @param {string} id
 * @param {string} target
 */
export function moved(ids, id, target) {
  const rest = ids.filter((other) => other !== id);
  rest.splice(ids.indexOf(target), 0, id);
  return rest;
}
