/**
 * Who is logged in on this browser, and where nobody is who needs to be. What one may do, the hub
 * decides.
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

/** Where the hub wants a log-in, its page for that comes in place of this one. */
export async function seekLogin() {
  const asked = { method: "HEAD", redirect: "manual", headers: { Accept: "text/html" } };
  const answer = await fetch("/", /** @type {RequestInit} */ (asked)).catch(() => null);
  if (answer?.type === "opaqueredirect") location.reload();
}
