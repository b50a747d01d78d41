/** Tells what a terminal emulator says by itself, when a program asks, from what a person types. */

/**
 * The sequences after which xterm.js says something: device attributes, status and cursor reports, modes (asked for; set,
 * because switching focus reports on makes it report at once), version, settings, colours.
 */
const CSI = [
  { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" },
  { final: "n" }, { prefix: "?", final: "n" },
  { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" },
  { prefix: "?", final: "h" },
  { prefix: ">", final: "q" },
  { prefix: "?", final: "u" },
  { final: "t" },
  { final: "x" },
];
const DCS = [{ intermediates: "$", final: "q" }, { intermediates: "+", final: "q" }];
const ESC = [{ final: "Z" }];
const OSC = [4, 5, 10, 11, 12, 17, 19];

// one or more complete reports: CSI … final, or a string (DCS, OSC) up to its end
const SHAPE = /^(?:\x1b\[[?>=]?[\d;]*[$]?[A-Za-z]|\x1b[P\]][^\x1b\x07]*(?:\x07|\x1b\\))+$/;

/** @param {string} data whether it looks like what an emulator replies */
export function hasAnswersShape(data) {
  return SHAPE.test(data);
}

export class Answers {
  #asked = false;

  /** @param {import("@xterm/xterm").IParser} parser of the terminal; it replies while it parses, never later */
  constructor(parser) {
    const note = () => {
      this.#asked = true;
      queueMicrotask(() => (this.#asked = false)); // no key can be pressed before that
      return false; // xterm's own handler is to follow
    };
    CSI.forEach((id) => parser.registerCsiHandler(id, note));
    DCS.forEach((id) => parser.registerDcsHandler(id, note));
    ESC.forEach((id) => parser.registerEscHandler(id, note));
    OSC.forEach((id) => parser.registerOscHandler(id, note));
  }

  /** @param {string} data what the terminal gave to onData just now */
  includes(data) {
    return this.#asked && hasAnswersShape(data);
  }
}
