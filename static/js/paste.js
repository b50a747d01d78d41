/** Pasted text, made ready for a terminal. Pure. */

const BRACKET_END = /\x1b\[201~|\x9b201~/g; // whoever can put it into the clipboard could type after it

/**
 * Whether a person should look first: several lines, which a shell without bracketed paste would run one by one.
 *
 * @param {string} text
 * @param {boolean} bracketed
 */
export function needsConfirmation(text, bracketed) {
  return !bracketed && /[\r\n]/.test(text.replace(/[\r\n]+$/, ""));
}

/**
 * @param {string} text
 * @param {boolean} bracketed the program has asked for marks around pasted text
 */
export function preparePaste(text, bracketed) {
  let clean = text;
  for (let before = ""; before !== clean; ) {
    before = clean;
    clean = clean.replace(BRACKET_END, ""); // again: what is left on both sides may make a new one
  }
  clean = clean.replace(/\r?\n/g, "\r"); // as the Enter key
  return bracketed ? `\x1b[200~${clean}\x1b[201~` : clean;
}
