/** What the browser keeps: for this page (a reload) or for good. Where it may keep nothing, it is forgotten, and nobody fails. */

const PREFIX = "webshell.";

export const PAGE = "sessionStorage";
export const BROWSER = "localStorage";

/**
 * @param {PAGE | BROWSER} place
 * @param {string} key
 * @returns {any} what was remembered; null: nothing
 */
export function recall(place, key) {
  try {
    return JSON.parse(window[place].getItem(PREFIX + key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {PAGE | BROWSER} place
 * @param {string} key
 * @param {any} value
 */
export function remember(place, key, value) {
  try {
    window[place].setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // full, or forbidden
  }
}
