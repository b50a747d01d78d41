/** The page: one client, its socket, the terminals and the scroll. Everything is joined here. */

import { Arrival } from "./arrival.js";
import { Client } from "./client.js";
import { Commands } from "./commands.js";
import { complain, notice } from "./dialog.js";
import { early } from "./early.js";
import { entrance } from "./enter.js";
import { Files } from "./files.js";
import { KeyRow } from "./keyrow.js";
import { PAGE, recall, remember } from "./memory.js";
import { Presence } from "./presence.js";
import { Scroll } from "./scroll.js";
import { settings } from "./settings.js";
import { Socket } from "./socket.js";
import { Stages } from "./stage.js";
import { StatusBar } from "./status.js";
import { Tabs } from "./tabs.js";
import { Terminals } from "./terminals.js";

/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */
/** @typedef {import("./types.js").Message} Message */

const SCROLL = "scroll";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

class App {
  settings = settings;
  client = new Client({
    hello: (_, restarted) => this.#hello(restarted),
    attached: (event, { resumed }) => this.#attached(event, resumed),
    started: (record) => this.#started(record),
    output: (process, stream, bytes, end) => this.#output(process, stream, bytes, end),
    said: (process, channel, bytes) => this.#stages.said(process, channel, bytes),
    gap: (event) => (this.terminals.get(event.process) ?? this.scroll).gap(/** @type {any} */ (event)),
    exited: (event) => this.#exited(event),
    resized: (event) => this.terminals.get(event.process)?.resized(event.rows, event.cols),
    renamed: (event) => this.terminals.renamed(event),
    removed: (process) => {
      this.terminals.removed(process);
      this.#stages.removed(process);
    },
    presence: (event) => this.#presence.tell(event.clients),
    closed: (reason) => this.#arrival.closed(reason),
    lost: () => this.#arrival.lost(),
    failed: (event) => this.#failed(event),
    kept: () => notice("Not connected: what you type is sent when the connection is back."),
  }, { name: entrance.name });
  scroll = new Scroll(this.client);
  tabs = new Tabs(byId("tabs"), byId("panels"), { onclose: (id) => this.close(id), onrename: (id) => this.rename(id) });
  #stages = new Stages(this.client, (process) => this.terminals.get(process)?.element.parentElement ?? this.scroll.place(process));
  #keys = new KeyRow(byId("keys"), (text) => this.terminals.current?.type(text), () => void this.#paste());
  terminals = new Terminals(this.client, this.tabs, byId("panels"), this.#keys, this.settings, (id, view) => this.#shown(id, view));
  files = new Files(this, byId("panels"));
  socket = new Socket(this.client, { early, onstate: (status) => this.#status.connection(status) });

  #status = new StatusBar(byId("status"), () => this.socket.retry());
  #presence = new Presence(byId("presence"));
  #arrival = new Arrival(this.client, entrance, this.terminals, (trouble) => this.#advise(trouble));
  #commands = new Commands(this);

  constructor() {
    this.tabs.add({ id: SCROLL, panel: this.scroll.panel, onshow: () => this.#shown(SCROLL, this.scroll) }, "Scroll");
    settings.onchange = () => this.terminals.refresh();
    byId("new-terminal").addEventListener("click", () => this.newTerminal());
    byId("keys").hidden = !matchMedia("(pointer: coarse)").matches;
    window.addEventListener("keydown", (event) => this.#commands.key(event), { capture: true });
    window.addEventListener("hashchange", () => void this.#arrival.choose());
    visualViewport?.addEventListener("resize", () => {
      document.body.style.height = `${visualViewport?.height ?? innerHeight}px`; // above the touch keyboard
    });
    this.socket.start();
  }

  /** The terminal in front, if it is one. */
  get terminal() {
    return this.terminals.current;
  }

  /** @param {string} right */
  may(right) {
    return this.client.rights.has(right);
  }

  // ---- sessions

  /** @param {boolean} restarted */
  #hello(restarted) {
    document.body.classList.toggle("view-only", !this.may("type"));
    byId("view-only").hidden = this.may("type");
    byId("new-terminal").hidden = !this.may("run");
    this.scroll.allow(this.may("run"));
    this.terminals.refresh();
    this.#arrival.hello(restarted);
  }

  newSession() {
    void this.#arrival.open();
  }

  /**
   * @param {Message} event
   * @param {boolean} resumed
   */
  #attached(event, resumed) {
    const shown = recall(PAGE, `tab.${event.session}`); // before what goes shows another
    if (!resumed) {
      this.terminals.reset();
      this.scroll.reset();
      this.#stages.reset();
    }
    for (const record of event.processes) {
      const view = this.terminals.get(record.process);
      if (view) {
        view.attached(record, resumed);
      } else if (record.pty || !this.scroll.has(record.process)) {
        this.#found(record);
      }
    }
    const wanted = this.#arrival.attached(event.session);
    if (wanted !== null && !(resumed && this.tabs.current)) {
      const last = this.terminals.ids.at(-1) ?? SCROLL;
      this.tabs.select((wanted && this.#find(wanted)) || (shown ?? last));
      if (!this.tabs.current) {
        this.tabs.select(last);
      }
    }
  }

  /** @param {number} process is brought to the front */
  show(process) {
    this.tabs.select(this.#find(process));
  }

  /**
   * @param {number} process that is asked for
   * @returns {string} the tab that shows it
   */
  #find(process) {
    if (this.terminals.get(process)) {
      return String(process);
    }
    this.scroll.reveal(process);
    return this.scroll.has(process) ? SCROLL : "";
  }

  /** @param {import("./arrival.js").Trouble | null} trouble */
  #advise(trouble) {
    this.#status.session(trouble);
    if (trouble && !this.tabs.current) {
      this.tabs.select(SCROLL); // there is no terminal to be shown
    }
  }

  // ---- processes

  newTerminal() {
    this.#try(this.#arrival.newTerminal());
  }

  /** @param {string} id */
  close(id) {
    this.#try(this.terminals.close(id));
  }

  /** @param {string} id */
  rename(id) {
    this.#try(this.terminals.rename(id));
  }

  /** For those whose keyboard cannot. */
  async #paste() {
    const terminal = this.terminal;
    try {
      await terminal?.paste(await navigator.clipboard.readText());
    } catch {
      notice("The browser does not let this page read the clipboard.");
    }
  }

  /** @param {Message} event to a request whose answer nobody awaits */
  #failed(event) {
    if (!this.#arrival.failed(event) && event.code !== "wrong-state") {
      notice(event.message);
    }
  }

  /** @param {ProcessRecord} record */
  #started(record) {
    this.#found(record);
    if (this.#arrival.started()) {
      this.show(record.process);
    }
  }

  /** @param {ProcessRecord} record it was started, or was there */
  #found(record) {
    (record.pty ? this.terminals : this.scroll).found(record);
  }

  /**
   * @param {number} process
   * @param {number} stream
   * @param {Uint8Array} bytes
   * @param {number} end
   */
  #output(process, stream, bytes, end) {
    const view = this.terminals.get(process);
    if (view) {
      view.output(bytes, end);
    } else {
      this.scroll.output(process, stream, bytes, end);
    }
  }

  /** @param {Message} event */
  #exited(event) {
    (this.terminals.get(event.process) ? this.terminals : this.scroll).exited(event);
    this.#stages.ended(event.process);
  }

  /**
   * @param {string} id of a tab that has come to the front
   * @param {{focus: () => void}} view
   */
  #shown(id, view) {
    remember(PAGE, `tab.${this.client.session?.id}`, id); // a reload shows it again
    if (!document.querySelector("dialog[open]")) {
      view.focus();
    }
  }

  /** @param {Promise<unknown>} attempt */
  #try(attempt) {
    attempt.catch((error) => this.#complain(error));
  }

  /** @param {unknown} error */
  #complain(error) {
    if (/** @type {any} */ (error).code !== "disconnected") {
      complain(/** @type {Error} */ (error)); // the status bar tells the other
    }
  }
}

export const app = new App();
