/** Errors that name what went wrong by a code of the protocol. */

/**
 * @param {string} code
 * @param {string} message for people
 * @returns {import("./types.js").CodedError}
 */
export function coded(code, message) {
  return Object.assign(new Error(message), { code });
}
