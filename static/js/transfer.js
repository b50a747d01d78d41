/** One file on its way to the server: in parts, each sent again when the network fails; no DOM. See docs/protocol.rst, Files. */

const PART_BYTES = 1 << 20; // often enough to see it move, seldom enough that requests cost nothing
const TRIES = 6; // of a part, over about half a minute
const WAIT_MILLISECONDS = 500; // before the second, doubled each time

/** What the server refused; 409: something of that name is there. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The address of a path in a session's folder.
 *
 * @param {string} session its id
 * @param {string} path names, with slashes between them
 * @param {{[name: string]: string | number}} query
 */
export function addressOf(session, path, query) {
  const steps = path.split("/").map(encodeURIComponent).join("/");
  const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return `s/${encodeURIComponent(session)}/files${steps ? `/${steps}` : ""}?${asked}`;
}

/**
 * @typedef {Object} Way
 * @property {string} session
 * @property {{[name: string]: string | number}} place process or folder
 * @property {"refuse" | "replace" | "keep"} [exists] what to do if something of that name is there
 * @property {AbortSignal} signal
 * @property {(bytes: number) => void} progress so much has arrived
 * @property {(milliseconds: number) => Promise<void>} [pause]
 * @property {typeof fetch} [ask]
 */

/**
 * Send *file*; resolved with where it is.
 *
 * @param {string} path
 * @param {Blob} file
 * @param {Way} way
 * @returns {Promise<{path: string, name: string, size: number}>}
 */
export async function send(path, file, way) {
  const first = { ...way.place, size: file.size, exists: way.exists ?? "refuse" };
  let key = "";
  let offset = 0;
  try {
    for (;;) {
      const query = key ? { part: key, offset } : first;
      const answer = await part(addressOf(way.session, path, query), file.slice(offset, offset + PART_BYTES), way);
      const said = await read(answer);
      if (answer.status === 201) {
        way.progress(file.size);
        return said;
      }
      key = said.part;
      offset = said.offset;
      way.progress(offset);
    }
  } catch (error) {
    if (key && way.signal.aborted) {
      const address = addressOf(way.session, path, { part: key });
      await (way.ask ?? fetch)(address, { method: "DELETE" }).catch(() => null); // else the server waits a minute
    }
    throw error;
  }
}

/**
 * Make an empty folder.
 *
 * @param {string} path
 * @param {Way} way
 */
export async function sendFolder(path, way) {
  await read(await part(addressOf(way.session, `${path}/`, way.place), new Blob([]), way));
}

/**
 * @param {string} address
 * @param {Blob} body
 * @param {Way} way
 */
async function part(address, body, { signal, pause = wait, ask = fetch }) {
  for (let tried = 1; ; tried++) {
    try {
      return await ask(address, { method: "PUT", body, signal });
    } catch (error) {
      if (signal.aborted || tried === TRIES) {
        throw signal.aborted ? error : new Refusal(0, "the connection is lost");
      }
      await pause(WAIT_MILLISECONDS * 2 ** (tried - 1));
    }
  }
}

/**
 * @param {Response} answer
 * @returns {Promise<any>}
 */
export async function read(answer) {
  if (answer.ok || answer.status === 416) {
    return answer.json(); // 416: it has more than we know; it says where to go on
  }
  throw new Refusal(answer.status, (await answer.text()).trim());
}

/** @param {number} milliseconds */
function wait(milliseconds) {
  return /** @type {Promise<void>} */ (new Promise((resolve) => setTimeout(resolve, milliseconds)));
}
