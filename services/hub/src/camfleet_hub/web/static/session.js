/**
 * Who is logged in on this browser, in words. What one may do, the hub decides.
 * @module
 */

/**
 * Ask the hub, and tell it in the menu; where it cannot say, nothing is told.
 * @param {HTMLElement} place
 */
export async function tellSession(place) {
  const answer = await fetch("/api/session").catch(() => null);
  if (!answer?.ok) return;
  const { name, role, sees_everything: seesAll } = await answer.json();
  place.textContent = `${name}, ${role}${seesAll ? "" : " of some cameras"}`;
}
