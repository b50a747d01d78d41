/** What a program shows and listens for beside its text: its pictures, and a button for each key. */

import { element } from "./dialog.js";

const MOST_KEYS = 128; // more buttons than that are no use to anybody
const NAMES = /** @type {Record<string, string>} */ ({ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space" });
const PNG = 0x89; // its first byte

export class Stage {
  element;

  #tell;
  #seen;
  #picture = /** @type {HTMLImageElement} */ (element("img", { className: "picture", alt: "What the program shows", hidden: true }));
  #keys = element("div", { className: "pads", role: "group", "aria-label": "Keys that the program listens for" });
  #hint = element("p", { className: "hint", hidden: true }, "Keys go to the program while this is in focus; click it.");
  /** @type {Map<string, HTMLElement>} */
  #buttons = new Map();
  /** @type {Set<string>} */
  #down = new Set();
  /** @type {Uint8Array<ArrayBuffer> | null} the latest picture that is not yet drawn */
  #next = null;
  #drawing = false;
  #decoder = new TextDecoder();

  /**
   * @param {() => void} close it is not wanted any more
   * @param {(event: string) => void} tell the program of a key: "KEY keydown" or "KEY keyup"
   * @param {(channel: string) => void} seen a message is done with
   */
  constructor(close, tell, seen) {
    this.#tell = tell;
    this.#seen = seen;
    const over = element("button", { type: "button", className: "close", "aria-label": "Close", title: "Close" }, "×");
    over.addEventListener("click", close);
    this.element = element("figure", { className: "stage", tabIndex: 0, "aria-label": "What the program shows" }, this.#picture, this.#keys, this.#hint, over);
    this.element.addEventListener("keydown", (event) => this.#key(event, "keydown"));
    this.element.addEventListener("keyup", (event) => this.#key(event, "keyup"));
    this.element.addEventListener("blur", () => this.#releaseAll());
  }

  /** Whether it listens for keys. */
  get listens() {
    return this.#buttons.size > 0;
  }

  /**
   * @param {string} channel
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  said(channel, bytes) {
    if (channel === "video") {
      this.#next = bytes;
      void this.#draw();
    } else {
      if (channel === "keylisten") {
        this.#listen(this.#decoder.decode(bytes));
      }
      this.#seen(channel);
    }
  }

  /** The program has ended: the last picture stays. */
  ended() {
    this.#down.clear();
    this.#buttons.clear();
    this.#keys.remove();
    this.#hint.remove();
    this.element.tabIndex = -1;
    this.element.hidden = this.#picture.hidden;
  }

  /** It is not shown any more. */
  dispose() {
    URL.revokeObjectURL(this.#picture.src);
  }

  // ---- pictures

  /** The latest one; acknowledged when it is on the screen, so that a slow page gets fewer. */
  async #draw() {
    if (this.#drawing) {
      return;
    }
    this.#drawing = true;
    while (this.#next) {
      const bytes = this.#next;
      this.#next = null;
      await this.#show(bytes);
      this.#seen("video");
      await new Promise((resolve) => (document.hidden ? setTimeout(resolve, 500) : requestAnimationFrame(resolve)));
    }
    this.#drawing = false;
  }

  /** @param {Uint8Array<ArrayBuffer>} base64 */
  async #show(base64) {
    const before = this.#picture.src;
    try {
      const file = Uint8Array.from(atob(this.#decoder.decode(base64)), (character) => character.charCodeAt(0));
      this.#picture.src = URL.createObjectURL(new Blob([file], { type: file[0] === PNG ? "image/png" : "image/jpeg" }));
      await this.#picture.decode();
      this.#picture.hidden = this.element.hidden = false;
    } catch {
      this.#picture.src = before; // it was no picture: the last one stays
      return;
    }
    URL.revokeObjectURL(before);
  }

  // ---- keys

  /** @param {string} key */
  #listen(key) {
    if (this.#buttons.has(key) || this.#buttons.size >= MOST_KEYS) {
      return;
    }
    const button = element("button", { type: "button", tabIndex: -1, className: "pad act" }, NAMES[key] ?? key);
    button.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the focus stays with the stage
      this.element.focus({ preventScroll: true });
      button.setPointerCapture(event.pointerId);
      this.#press(key);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(end, () => this.#release(key));
    }
    this.#buttons.set(key, button);
    this.#keys.append(button);
    this.#hint.hidden = false;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {"keydown" | "keyup"} type
   */
  #key(event, type) {
    const { key } = event;
    if (!this.#buttons.has(key) || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (type === "keydown") {
      this.#press(key);
    } else {
      this.#release(key);
    }
  }

  /** @param {string} key again and again while it is held, as a keyboard does */
  #press(key) {
    this.#down.add(key);
    this.#buttons.get(key)?.classList.add("down");
    this.#tell(`${key} keydown`);
  }

  /** @param {string} key */
  #release(key) {
    if (this.#down.delete(key)) {
      this.#buttons.get(key)?.classList.remove("down");
      this.#tell(`${key} keyup`);
    }
  }

  /** The focus has gone: whatever comes up now is told to somebody else. */
  #releaseAll() {
    [...this.#down].forEach((key) => this.#release(key));
  }
}

/** The stages of the processes that have one. */
export class Stages {
  /** @type {Map<number, Stage>} */
  #stages = new Map();
  #client;
  #place;

  /**
   * @param {import("./client.js").Client} client
   * @param {(process: number) => Element | undefined} place where that of a process belongs; undefined: it is not shown
   */
  constructor(client, place) {
    this.#client = client;
    this.#place = place;
  }

  /**
   * @param {number} process
   * @param {string} channel
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  said(process, channel, bytes) {
    const place = this.#place(process);
    if (!place) {
      this.#client.sides.seen(process, channel);
      return;
    }
    const stage = this.#stages.get(process) ?? this.#made(process);
    if (stage.element.parentElement !== place) {
      place.insertBefore(stage.element, place.querySelector(":scope > form")); // a field for input stays last
    }
    const listened = stage.listens;
    stage.said(channel, bytes);
    if (!listened && stage.listens && isIdle() && stage.element.checkVisibility()) {
      stage.element.focus();
    }
  }

  /** @param {number} process */
  ended(process) {
    this.#stages.get(process)?.ended();
  }

  /** @param {number} process it is forgotten */
  removed(process) {
    const stage = this.#stages.get(process);
    this.#stages.delete(process);
    stage?.element.remove();
    stage?.dispose();
  }

  /** Another session is shown. */
  reset() {
    [...this.#stages.keys()].forEach((process) => this.removed(process));
  }

  /** @param {number} process */
  #made(process) {
    const tell = (/** @type {string} */ event) => this.#client.sides.tell(process, "keyevent", event);
    const close = () => {
      const terminal = /** @type {HTMLElement | null | undefined} */ (stage.element.parentElement?.querySelector("textarea"));
      this.removed(process); // what is said later makes a new one
      terminal?.focus();
    };
    const stage = new Stage(close, tell, (channel) => this.#client.sides.seen(process, channel));
    this.#stages.set(process, stage);
    return stage;
  }
}

/** Whether nobody is typing: the focus is nowhere, or in an empty input box under the scroll. */
function isIdle() {
  const active = document.activeElement;
  const empty = active instanceof HTMLTextAreaElement && active.closest(".entry") !== null && !active.value;
  return active === null || active === document.body || empty;
}
