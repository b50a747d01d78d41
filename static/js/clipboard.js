/** The clipboard: text that is copied out of a terminal, and what programs may write to it (OSC 52). */

const COPIED_BYTES = 1 << 20; // what a program may put into the clipboard at once

/**
 * The text of an OSC 52 sequence; null if it is a question, names no clipboard of ours, or is malformed.
 *
 * @param {string} data what stands between `52;` and the end
 * @returns {string | null}
 */
export function clipboardText(data) {
  const [, target, encoded] = /^([^;]*);(.*)$/s.exec(data) ?? [];
  if (target === undefined || !/^[cp]*$/.test(target) || !encoded || encoded === "?") {
    return null;
  }
  if (encoded.length > Math.ceil(COPIED_BYTES / 3) * 4) {
    return null;
  }
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    return bytes.length > COPIED_BYTES ? null : new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard now
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // no secure context, or no permission
  }
}

/** @param {string} text */
function copyBySelection(text) {
  if (!navigator.userActivation?.isActive) {
    return false; // the browser would refuse, and the selection would be gone
  }
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } finally {
    area.remove();
    focused?.focus();
  }
}
