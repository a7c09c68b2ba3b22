/**
 * The page for the log-in: what stands behind the # of an address never reaches the hub, so the
 * form takes it along. Without this module the form works, and the wall is shown as a whole.
 * @module
 */

const next = document.querySelector('input[name="next"]');
if (next instanceof HTMLInputElement && location.hash && !next.value.includes("#")) {
  next.value += location.hash;
}
