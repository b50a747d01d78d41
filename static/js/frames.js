/** The frames of `webshell.v1`, to and from bytes and text. See docs/protocol.rst, Binary frames. */

/** @typedef {import("./types.js").Message} Message */

/** What input is: counted and resent (typed, pasted), or said by the terminal emulator itself (answer). */
export const KIND = Object.freeze({ typed: 1, pasted: 2, answer: 3 });

/** Which stream output came from. */
export const STREAM = Object.freeze({ output: 1, error: 2 });

export const HEADER_BYTES = 5; // one byte stream or kind, four bytes process number

const SIDE = 3; // where output has its stream: a message of a side channel

/**
 * @typedef {{stream: number, process: number, bytes: Uint8Array}} Output
 * @typedef {{process: number, channel: string, bytes: Uint8Array<ArrayBuffer>}} Said
 * @typedef {{event: Message, output?: undefined, said?: undefined}
 *   | {event?: undefined, output: Output, said?: undefined}
 *   | {event?: undefined, output?: undefined, said: Said}} Frame
 */

/**
 * @param {string | ArrayBuffer} data what a WebSocket delivered
 * @returns {Frame}
 * @throws {TypeError} the frame breaks the protocol
 */
export function decodeFrame(data) {
  if (typeof data === "string") {
    const event = parse(data);
    if (typeof event !== "object" || event === null || typeof event.type !== "string") {
      throw new TypeError("a text frame without a type");
    }
    return { event };
  }
  if (data.byteLength < HEADER_BYTES) {
    throw new TypeError(`a binary frame of ${data.byteLength} bytes`);
  }
  const view = new DataView(data);
  const [stream, process] = [view.getUint8(0), view.getUint32(1)];
  if (stream !== SIDE) {
    return { output: { stream, process, bytes: new Uint8Array(data, HEADER_BYTES) } };
  }
  const start = HEADER_BYTES + 1; // the name's length is before it
  const end = start + (data.byteLength < start ? 0 : view.getUint8(HEADER_BYTES));
  if (data.byteLength < end) {
    throw new TypeError("a message of a side channel without a channel");
  }
  const channel = new TextDecoder().decode(new Uint8Array(data, start, end - start));
  return { said: { process, channel, bytes: new Uint8Array(data, end) } };
}

/**
 * @param {number} kind one of KIND
 * @param {number} process
 * @param {Uint8Array} bytes
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeInput(kind, process, bytes) {
  const frame = new Uint8Array(HEADER_BYTES + bytes.length);
  frame[0] = kind;
  new DataView(frame.buffer).setUint32(1, process);
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new TypeError("a text frame that is not JSON");
  }
}
