/**
 * Says what became of a key that was pressed, or of the cameras, to who does not see it.
 * @module
 */

/** @param {string} text */
export function say(text) {
  tell("spoken", text);
}

/**
 * What nobody asked for, in a place of its own: it must not cut short the answer to a key.
 * @param {string} text
 */
export function announce(text) {
  tell("news", text);
}

/**
 * @param {string} id
 * @param {string} text
 */
function tell(id, text) {
  const place = document.getElementById(id);
  if (place && place.textContent !== text) place.textContent = text;
}
