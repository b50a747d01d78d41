/** Names that nobody else has. */

/** @returns {string} 96 random bits as URL-safe base64 */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
