/** What the page's address names: a session, and perhaps a process of it. No DOM here. */

/**
 * `/s/ID#N` leads here as `?s=ID#N`: a browser keeps the part after the `#`. The page itself writes `#s=ID`.
 *
 * @param {{search: string, hash: string}} location
 * @returns {{session: string, process: number}} empty and 0: it names none
 */
export function named({ search, hash }) {
  const written = /^#s=(.+)$/.exec(hash)?.[1];
  if (written) {
    return { session: decoded(written), process: 0 };
  }
  return { session: new URLSearchParams(search).get("s") ?? "", process: Number(/^#(\d{1,9})$/.exec(hash)?.[1] ?? 0) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a % that means nothing: no session has such an id
  }
}

/**
 * @param {{pathname: string}} location
 * @param {string} session
 */
export function addressOf({ pathname }, session) {
  return `${pathname}#s=${encodeURIComponent(session)}`;
}
