/**
 * Says what became of a key that was pressed, to who does not see it.
 * @module
 */

/** @param {string} text */
export function say(text) {
  const spoken = document.getElementById("spoken");
  if (spoken && spoken.textContent !== text) spoken.textContent = text;
}
