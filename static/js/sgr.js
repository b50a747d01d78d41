/** Styles of text, as the control function SGR sets them (ECMA-48 8.3.117; 38 and 48 as in ITU-T T.416). Pure. */

const FLAGS = /** @type {Record<number, string>} */ ({ 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" });
const OFF = /** @type {Record<number, string[]>} */ ({ 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"] });

/** @typedef {{flags: readonly string[], fg: string, bg: string}} Style colours: "", "0" to "15", or "#rrggbb" */

/** @type {Style} */
export const PLAIN = Object.freeze({ flags: Object.freeze([]), fg: "", bg: "" });

/**
 * @param {Style} style
 * @param {string} parameters what stands between CSI and m
 * @returns {Style}
 */
export function restyled(style, parameters) {
  if (/[<=>?]/.test(parameters)) {
    return style; // a private one: keyboard modes
  }
  const codes = parameters.split(";").flatMap(parameter);
  const flags = new Set(style.flags);
  let { fg, bg } = style;
  while (codes.length) {
    const code = codes.shift() ?? 0;
    if (code === 0) {
      flags.clear();
      fg = bg = "";
    } else if (FLAGS[code]) {
      flags.add(FLAGS[code]);
    } else if (code === 21) {
      flags.add("underline"); // doubly
    } else if (OFF[code]) {
      OFF[code].forEach((flag) => flags.delete(flag));
    } else if (code === 38) {
      fg = extended(codes);
    } else if (code === 48) {
      bg = extended(codes);
    } else if (code === 58) {
      extended(codes); // the underline's colour: not shown
    } else if (code === 39) {
      fg = "";
    } else if (code === 49) {
      bg = "";
    } else {
      fg = basic(code, 30, 90) ?? fg;
      bg = basic(code, 40, 100) ?? bg;
    }
  }
  return flags.size || fg || bg ? { flags: [...flags], fg, bg } : PLAIN;
}

/**
 * @param {string} text between two semicolons
 * @returns {number[]}
 */
function parameter(text) {
  const [first = "", ...rest] = text.split(":");
  if (first === "4" && rest.length) {
    return [rest[0] === "0" ? 24 : 4]; // the kinds of underline
  }
  if (rest[0] === "2" && rest.length > 4) {
    rest.splice(1, 1); // the colour space
  }
  return [first, ...rest].map(Number);
}

/**
 * @param {number} code
 * @param {number} dark
 * @param {number} bright
 * @returns {string | undefined}
 */
function basic(code, dark, bright) {
  if (code >= dark && code < dark + 8) {
    return String(code - dark);
  }
  return code >= bright && code < bright + 8 ? String(code - bright + 8) : undefined;
}

/** @param {number[]} codes what follows 38 or 48; its own part is taken from it */
function extended(codes) {
  const kind = codes.shift();
  if (kind === 5) {
    return indexed(codes.shift() ?? 0);
  }
  if (kind === 2) {
    const [red, green, blue] = codes.splice(0, 3);
    return hex(red ?? 0, green ?? 0, blue ?? 0);
  }
  return "";
}

/** @param {number} index of xterm's 256 colours */
function indexed(index) {
  if (index < 16) {
    return String(Math.max(0, index | 0));
  }
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return hex(grey, grey, grey);
  }
  const level = (/** @type {number} */ part) => (part ? 55 + part * 40 : 0);
  const cube = index - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

/** @param {number[]} parts */
function hex(...parts) {
  return `#${parts.map((part) => Math.max(0, Math.min(255, part | 0)).toString(16).padStart(2, "0")).join("")}`;
}
