/** The input box under the scroll: a line or several, in a mode, with what was entered before. It runs nothing itself. */

import { element } from "./dialog.js";
import { History } from "./history.js";

/** @typedef {"shell" | "python"} Mode */

const MOST_ROWS = 12;
const DIRECTORY_CHARACTERS = { wide: 32, narrow: 12 }; // then its beginning is left out
const narrow = matchMedia("(max-width: 40rem)"); // as in page.css
const PROMPTS = { shell: "$", python: ">>>" };
const LABELS = { shell: "Shell command", python: "Python" };

/**
 * @typedef {Object} Calls
 * @property {(mode: Mode, text: string) => void} onenter
 * @property {(mode: Mode) => boolean} oninterrupt whether there was something to stop
 * @property {() => void} onclear
 */

export class Entry {
  element = element("form", { className: "entry" });
  /** @type {Mode} */
  mode = "shell";

  #calls;
  #directory = "";
  #histories = { shell: new History("shell"), python: new History("python") };
  #prompt = element("span", { className: "prompt", "aria-hidden": "true" });
  #field = /** @type {HTMLTextAreaElement} */ (
    element("textarea", { rows: 1, spellcheck: false, autocapitalize: "off", autocomplete: "off", enterKeyHint: "go" })
  );
  #run = /** @type {HTMLButtonElement} */ (element("button", { type: "submit", className: "run" }, "Run"));
  #modes = /** @type {Record<Mode, HTMLButtonElement>} */ ({ shell: radio("Shell"), python: radio("Python") });

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
    const { shell, python } = this.#modes;
    const modes = element("div", { className: "modes", role: "radiogroup", "aria-label": "Mode" }, shell, python);
    const field = element("div", { className: "field" }, this.#prompt, this.#field);
    this.element.append(modes, field, this.#run);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#grow());
    field.addEventListener("click", () => this.#field.focus());
    modes.addEventListener("keydown", (event) => this.#walk(event));
    shell.addEventListener("click", () => this.choose("shell"));
    python.addEventListener("click", () => this.choose("python"));
    narrow.addEventListener("change", () => this.choose(this.mode));
    this.choose("shell");
  }

  focus() {
    this.#field.focus();
  }

  /** @param {boolean} may whether commands may be run */
  allow(may) {
    for (const control of [this.#field, this.#run, this.#modes.shell, this.#modes.python]) {
      control.disabled = !may;
    }
    const keys = narrow.matches ? "Enter runs" : "Enter runs, Shift+Enter begins a new line";
    this.#field.placeholder = may ? keys : "You may only watch";
  }

  /** @param {string} text that could not be run: nothing entered is lost */
  giveBack(text) {
    if (!this.#field.value) {
      this.#put(text);
    }
  }

  /** @param {string} directory that shell commands run in */
  set directory(directory) {
    this.#directory = directory;
    this.choose(this.mode);
  }

  /** @param {Mode} mode */
  choose(mode) {
    this.mode = mode;
    for (const [name, button] of Object.entries(this.#modes)) {
      button.setAttribute("aria-checked", String(name === mode));
      button.tabIndex = name === mode ? 0 : -1;
    }
    const directory = mode === "shell" ? this.#directory : "";
    this.#prompt.textContent = mode === "shell" ? `${shortened(directory) || "~"} ${PROMPTS.shell}` : PROMPTS.python;
    this.#prompt.title = directory;
    this.#field.setAttribute("aria-label", LABELS[mode]);
  }

  // ---- inside

  #submit() {
    const text = this.#field.value;
    this.#put("");
    if (text.trim()) {
      this.#histories[this.mode].add(text);
    }
    this.#calls.onenter(this.mode, text);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) {
      return; // an input method is at work; its Enter is not ours
    }
    const { selectionStart, selectionEnd, value } = this.#field;
    const selected = selectionStart !== selectionEnd || Boolean(getSelection()?.toString());
    const plain = !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (event.key === "Enter" && !event.shiftKey) {
      this.#submit();
    } else if (event.key === "ArrowUp" && plain && !value.slice(0, selectionStart).includes("\n")) {
      this.#recall(-1);
    } else if (event.key === "ArrowDown" && plain && !value.slice(selectionEnd).includes("\n")) {
      this.#recall(1);
    } else if (event.ctrlKey && event.key === "c" && !selected) {
      if (!this.#calls.oninterrupt(this.mode)) {
        this.#put("");
      }
    } else if (event.ctrlKey && event.key === "l") {
      this.#calls.onclear();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event in the row of modes, which is a radio group */
  #walk(event) {
    if (/^Arrow(Left|Right|Up|Down)$/.test(event.key)) {
      event.preventDefault();
      this.choose(this.mode === "shell" ? "python" : "shell");
      this.#modes[this.mode].focus();
    }
  }

  /** @param {-1 | 1} step */
  #recall(step) {
    const text = this.#histories[this.mode].move(step, this.#field.value);
    if (text !== null) {
      this.#put(text);
    }
  }

  /** @param {string} text */
  #put(text) {
    this.#field.value = text;
    this.#field.setSelectionRange(text.length, text.length);
    this.#grow();
  }

  #grow() {
    this.#field.rows = Math.min(MOST_ROWS, this.#field.value.split("\n").length);
  }
}

/** @param {string} text */
function radio(text) {
  return /** @type {HTMLButtonElement} */ (element("button", { type: "button", role: "radio" }, text));
}

/** @param {string} directory */
function shortened(directory) {
  const most = narrow.matches ? DIRECTORY_CHARACTERS.narrow : DIRECTORY_CHARACTERS.wide;
  if (directory.length <= most) {
    return directory;
  }
  const end = directory.slice(-most);
  const slash = end.indexOf("/");
  return `…${slash >= 0 && slash < end.length - 1 ? end.slice(slash) : end}`;
}
