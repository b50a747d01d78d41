/** The terminals of the session: a view and a tab for each, from start to close. */

import { spare } from "./ahead.js";
import { ask, element, notice } from "./dialog.js";
import { fittingSize } from "./measure.js";
import { CHANNELS } from "./sides.js";
import { TerminalView } from "./terminal.js";

/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */
/** @typedef {import("./types.js").Message} Message */

const FLASH_MILLISECONDS = 150;
const LOOK_MILLISECONDS = 50;
const SHOWN_CHARACTERS = 5000; // of a text that waits to be pasted
const UNNAMED = /^(Terminal \d+|shell)$/; // a program may choose the title of such a tab

export class Terminals {
  /** @type {Map<number, TerminalView>} */
  #views = new Map();
  #client;
  #tabs;
  #panels;
  #keys;
  #settings;
  #onshow;

  /**
   * @param {import("./client.js").Client} client
   * @param {import("./tabs.js").Tabs} tabs
   * @param {HTMLElement} panels
   * @param {import("./keyrow.js").KeyRow} keys
   * @param {typeof import("./settings.js").settings} settings
   * @param {(id: string, view: {focus: () => void}) => void} onshow a tab has come to the front
   */
  constructor(client, tabs, panels, keys, settings, onshow) {
    this.#client = client;
    this.#tabs = tabs;
    this.#panels = panels;
    this.#keys = keys;
    this.#settings = settings;
    this.#onshow = onshow;
  }

  /** @param {number} process */
  get(process) {
    return this.#views.get(process);
  }

  /** The tabs' ids, in order. */
  get ids() {
    return [...this.#views.keys()].map(String);
  }

  /** The one in front, if it is one. */
  get current() {
    return this.#views.get(Number(this.#tabs.current));
  }

  /** Settings or rights are others now. */
  refresh(mayType = this.#client.rights.has("type")) {
    this.#views.forEach((view) => view.setOptions({ ...this.#settings.terminal, mayType }));
  }

  // ---- what a person does

  /** @param {string} [name] */
  async start(name = this.#freeName()) {
    const size = fittingSize(this.#panels, this.#settings.terminal);
    const { process } = await this.#client.start({ runner: "shell", ...size, name, channels: CHANNELS });
    this.#tabs.select(String(process.process)); // found() has been here
  }

  /** @param {string} id close its tab */
  async close(id) {
    const process = Number(id);
    const record = this.#client.processes.get(process);
    if (!record || !this.#client.rights.has("run")) {
      this.removed(process); // a session that is gone, or one that we only watch: the view goes
      return;
    }
    if (record.state === "running") {
      const body = [`“${record.name}” is still running. Everything that it started will be ended.`];
      if (!(await ask({ title: "Close this terminal?", body, confirm: "End it" })).confirmed) {
        return;
      }
      await this.#client.request("stop", { process });
      while (this.#client.processes.get(process)?.state === "running") {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS)); // after HUP at once; or after its grace
      }
    }
    await this.#client.request("remove", { process });
  }

  /** @param {string} id */
  async rename(id) {
    const record = this.#client.processes.get(Number(id));
    if (record && this.#client.rights.has("run")) {
      const { confirmed, text } = await ask({ title: "Name of this terminal", field: record.name, confirm: "Rename" });
      if (confirmed && text.trim()) {
        await this.#client.request("rename", { process: record.process, name: text.trim() });
      }
    }
  }

  // ---- what the client tells

  /** @param {ProcessRecord} record it was started, or was there */
  found(record) {
    const id = String(record.process);
    const view = new TerminalView(this.#client, record, {
      ...this.#settings.terminal,
      mayType: this.#client.rights.has("type"),
      screen: spare.take(),
      confirmPaste,
      onTitle: (title) => UNNAMED.test(record.name) && this.#tabs.entitle(id, title || record.name),
      onBell: () => this.#bell(id, view),
      onNotice: (text, action) => notice(text, action),
      epilogue: this.#mayFollow(record) ? "Enter starts another." : "",
    });
    this.#views.set(record.process, view);
    const panel = element("div", { className: "terminal-panel" }, view.element);
    this.#keys.watch(panel);
    panel.addEventListener("keydown", (event) => this.#follow(event, record), { capture: true });
    const onshow = () => {
      view.show();
      this.#onshow(id, view);
    };
    const closable = this.#client.rights.has("run");
    this.#tabs.add({ id, panel, closable, onshow, onhide: () => view.hide() }, record.name);
    if (record.state === "exited") {
      this.#tabs.mark(id, "exited");
    }
  }

  /** @param {Message} event */
  exited(event) {
    this.#views.get(event.process)?.exited(event);
    this.#tabs.mark(String(event.process), "exited");
  }

  /** @param {Message} event */
  renamed({ process, name }) {
    if (this.#views.has(process)) {
      this.#tabs.entitle(String(process), name);
    }
  }

  /** @param {number} process */
  removed(process) {
    const view = this.#views.get(process);
    if (view) {
      this.#views.delete(process);
      this.#tabs.remove(String(process));
      view.dispose();
    }
  }

  /** The session is over: what they show stays readable. */
  ended() {
    this.refresh(false);
    this.ids.forEach((id) => this.#tabs.mark(id, "exited"));
  }

  /** Another session is shown. */
  reset() {
    [...this.#views.keys()].forEach((process) => this.removed(process));
  }

  // ---- inside

  /** @param {ProcessRecord} record */
  #mayFollow(record) {
    return record.runner === "shell" && this.#client.rights.has("run");
  }

  /**
   * In the place of a shell that has ended another one is started.
   *
   * @param {KeyboardEvent} event
   * @param {ProcessRecord} record
   */
  #follow(event, record) {
    if (event.key !== "Enter" || event.repeat || record.state !== "exited" || !this.#mayFollow(record)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const follow = async () => {
      await this.start(record.name);
      await this.#client.request("remove", { process: record.process });
    };
    follow().catch((error) => notice(error.message));
  }

  #freeName() {
    const taken = new Set([...this.#client.processes.values()].map((record) => record.name));
    let number = 1;
    while (taken.has(`Terminal ${number}`)) {
      number += 1;
    }
    return `Terminal ${number}`;
  }

  /**
   * @param {string} id
   * @param {TerminalView} view
   */
  #bell(id, view) {
    this.#tabs.mark(id, "bell");
    view.element.classList.add("flash");
    setTimeout(() => view.element.classList.remove("flash"), FLASH_MILLISECONDS);
  }
}

/** @param {string} text */
async function confirmPaste(text) {
  const lines = text.replace(/[\r\n]+$/, "").split(/\r\n|\r|\n/).length;
  const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  const body = [element("p", {}, "Each line is run as soon as it arrives."), element("pre", {}, shown)];
  return (await ask({ title: `Paste ${lines} lines?`, body, confirm: "Paste" })).confirmed;
}
