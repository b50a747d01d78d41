/** Output of commands as DOM: text with its colours, line by line, bounded. Not a terminal: no cursor addressing. */

const MAX_LINES = 10000; // of one block; a browser lays out more only slowly
const MAX_CARRY = 4096; // an escape sequence that is longer is none
const TAB = 8;

const TOKEN = /\x1b\[([\d;:?<=>!]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\|\x1b[ -/]*[0-~]|[\r\n\b\t]|[^\x00-\x1f\x7f]+/g;
const UNFINISHED = /\x1b(?:[[\]PX^_][^\x07]*)?$/;
const FLAGS = /** @type {Record<number, string>} */ ({ 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" });
const OFF = /** @type {Record<number, string[]>} */ ({ 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"] });

/** @typedef {{flags: string, fg: string, bg: string}} Style colours: "" | "0".."15" | "#rrggbb" */
/** @typedef {{text: string, style: Style, stderr: boolean}} Cell */

/** @type {Style} */
const PLAIN = { flags: "", fg: "", bg: "" };

export class AnsiText {
  /** Lines that were dropped at the top. */
  dropped = 0;

  #element;
  #style = PLAIN;
  #carry = "";
  /** @type {Cell[]} the line that the cursor is in */
  #cells = [];
  #column = 0;
  /** @type {HTMLElement | null} */
  #line = null;

  /**
   * @param {HTMLElement} element gets one child a line
   */
  constructor(element) {
    this.#element = element;
  }

  /**
   * @param {string} text
   * @param {boolean} [stderr]
   */
  write(text, stderr = false) {
    text = this.#carry + text;
    const cut = UNFINISHED.exec(text.slice(-MAX_CARRY));
    this.#carry = cut && !/\x1b\\$/.test(text) ? cut[0] : "";
    if (this.#carry) {
      text = text.slice(0, -this.#carry.length);
    }
    for (const token of text.matchAll(TOKEN)) {
      this.#token(token, stderr);
    }
    this.#draw();
  }

  /**
   * @param {RegExpMatchArray} token
   * @param {boolean} stderr
   */
  #token(token, stderr) {
    const [whole, parameters, final] = token;
    if (whole === "\n") {
      this.#endLine();
    } else if (whole === "\r") {
      this.#column = 0;
    } else if (whole === "\b") {
      this.#column = Math.max(0, this.#column - 1);
    } else if (whole === "\t") {
      this.#print(" ".repeat(TAB - (this.#column % TAB)), stderr);
    } else if (final === "m") {
      this.#style = restyled(this.#style, parameters ?? "");
    } else if (final === "K") {
      this.#erase(parameters ?? "");
    } else if (!whole.startsWith("\x1b")) {
      this.#print(whole, stderr);
    }
  }

  /**
   * @param {string} text
   * @param {boolean} stderr
   */
  #print(text, stderr) {
    for (const character of text) {
      while (this.#cells.length < this.#column) {
        this.#cells.push({ text: " ", style: PLAIN, stderr });
      }
      this.#cells[this.#column] = { text: character, style: this.#style, stderr };
      this.#column += 1;
    }
  }

  /** @param {string} how ECMA-48 EL: 0 to the end, 1 from the beginning, 2 all */
  #erase(how) {
    if (how === "2") {
      this.#cells = [];
    } else if (how === "1") {
      for (let at = 0; at < Math.min(this.#column, this.#cells.length); at += 1) {
        this.#cells[at] = { text: " ", style: PLAIN, stderr: false };
      }
    } else {
      this.#cells.length = Math.min(this.#cells.length, this.#column);
    }
  }

  #endLine() {
    this.#draw();
    (this.#line ?? this.#newLine()).append("\n");
    this.#line = null;
    this.#cells = [];
    this.#column = 0;
    while (this.#element.childElementCount > MAX_LINES) {
      this.#element.firstElementChild?.remove();
      this.dropped += 1;
    }
  }

  #newLine() {
    this.#line = document.createElement("span");
    this.#element.append(this.#line);
    return this.#line;
  }

  #draw() {
    if (!this.#cells.length && !this.#line) {
      return;
    }
    (this.#line ?? this.#newLine()).replaceChildren(...runs(this.#cells).map(spanned));
  }
}

/**
 * Neighbours of one style together.
 *
 * @param {Cell[]} cells
 * @returns {Cell[]}
 */
function runs(cells) {
  /** @type {Cell[]} */
  const found = [];
  for (const cell of cells) {
    const last = found.at(-1);
    if (last && last.style === cell.style && last.stderr === cell.stderr) {
      last.text += cell.text;
    } else {
      found.push({ ...cell });
    }
  }
  return found;
}

/** @param {Cell} run */
function spanned({ text, style, stderr }) {
  if (style === PLAIN && !stderr) {
    return document.createTextNode(text);
  }
  const span = document.createElement("span");
  span.textContent = text;
  const flags = style.flags.split(" ").filter(Boolean);
  const inverse = flags.includes("inverse");
  const [fg, bg] = inverse ? [style.bg || "inverse-fg", style.fg || "inverse-bg"] : [style.fg, style.bg];
  span.className = flags.join(" ");
  paint(span, "color", fg, "fg");
  paint(span, "backgroundColor", bg, "bg");
  if (stderr) {
    span.classList.add("stderr");
  }
  return span;
}

/**
 * @param {HTMLElement} span
 * @param {"color" | "backgroundColor"} property
 * @param {string} colour
 * @param {string} prefix
 */
function paint(span, property, colour, prefix) {
  if (colour.startsWith("#")) {
    span.style[property] = colour;
  } else if (colour === "inverse-fg") {
    span.style.color = "var(--paper)";
  } else if (colour === "inverse-bg") {
    span.style.backgroundColor = "var(--ink)";
  } else if (colour) {
    span.classList.add(prefix + colour);
  }
}

/**
 * A style after SGR (ECMA-48 8.3.117; 38 and 48 as in ITU-T T.416, with semicolons or colons).
 *
 * @param {Style} style
 * @param {string} parameters
 * @returns {Style}
 */
export function restyled(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  const flags = new Set(style.flags.split(" ").filter(Boolean));
  let { fg, bg } = style;
  while (codes.length) {
    const code = codes.shift() ?? 0;
    if (code === 0) {
      flags.clear();
      fg = bg = "";
    } else if (FLAGS[code]) {
      flags.add(FLAGS[code]);
    } else if (OFF[code]) {
      OFF[code].forEach((flag) => flags.delete(flag));
    } else if (code === 38) {
      fg = extended(codes);
    } else if (code === 48) {
      bg = extended(codes);
    } else if (code === 39) {
      fg = "";
    } else if (code === 49) {
      bg = "";
    } else {
      fg = basic(code, 30, 90) ?? fg;
      bg = basic(code, 40, 100) ?? bg;
    }
  }
  return flags.size || fg || bg ? { flags: [...flags].join(" "), fg, bg } : PLAIN;
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
    return String(index);
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
  return "#" + parts.map((part) => Math.max(0, Math.min(255, part | 0)).toString(16).padStart(2, "0")).join("");
}
