/** The page: one client, its socket, a tab for each terminal, and the scroll. Everything is joined here. */

import { Client } from "./client.js";
import { Commands } from "./commands.js";
import { ask, element, notice } from "./dialog.js";
import { KeyRow } from "./keyrow.js";
import { fittingSize } from "./measure.js";
import { Menu } from "./menu.js";
import { complain, Scroll } from "./scroll.js";
import { Settings } from "./settings.js";
import { Socket } from "./socket.js";
import { StatusBar } from "./status.js";
import { Tabs } from "./tabs.js";
import { TerminalView } from "./terminal.js";

/** @typedef {import("./types.js").ProcessRecord} ProcessRecord */
/** @typedef {import("./types.js").Message} Message */

const SCROLL = "scroll";
const LAST_SESSION = "webshell.session";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

class App {
  /** @type {Map<number, TerminalView>} */
  terminals = new Map();
  settings = new Settings(() => this.terminals.forEach((view) => view.setOptions(this.settings.terminal)));
  client = new Client({
    hello: (_, restarted) => this.#hello(restarted),
    attached: (event, { resumed }) => this.#attached(event, resumed),
    started: (record) => this.#found(record, true),
    output: (process, stream, bytes, end) => this.#output(process, stream, bytes, end),
    gap: (event) => (this.terminals.get(event.process) ?? this.scroll).gap(/** @type {any} */ (event)),
    exited: (event) => this.#exited(event),
    resized: (event) => this.terminals.get(event.process)?.resized(event.rows, event.cols),
    renamed: (event) => this.#renamed(event),
    removed: (process) => this.#removed(process),
    presence: (event) => this.#presence(event),
    closed: (reason) => this.#ended(`This session has ended: ${reason}.`),
    lost: () => this.#ended(this.#restarted ? "The server was restarted; its sessions have ended." : "This session has ended."),
    failed: (event) => event.code !== "wrong-state" && notice(event.message),
    kept: () => notice("Not connected: what you type is sent when the connection is back."),
  });
  scroll = new Scroll(this.client);
  tabs = new Tabs(byId("tabs"), byId("panels"), { onclose: (id) => void this.close(id), onrename: (id) => void this.rename(id) });
  socket = new Socket(this.client, { onstate: (status) => this.#status.connection(status) });

  #status = new StatusBar(byId("status"), () => this.socket.retry());
  #keys = new KeyRow(byId("keys"), (text) => this.terminal?.type(text));
  #restarted = false;
  #commands = new Commands(this);

  constructor() {
    this.tabs.add({ id: SCROLL, panel: this.scroll.panel, onshow: () => this.#shown(SCROLL, this.scroll) }, "Scroll");
    byId("new-terminal").addEventListener("click", () => void this.newTerminal());
    new Menu(byId("menu-button"), byId("menu"), () => this.#commands.items());
    byId("keys").hidden = !matchMedia("(pointer: coarse)").matches;
    window.addEventListener("keydown", (event) => this.#commands.key(event), { capture: true });
    window.addEventListener("hashchange", () => void this.#chooseSession());
    visualViewport?.addEventListener("resize", () => {
      document.body.style.height = `${visualViewport?.height ?? innerHeight}px`; // above the touch keyboard
    });
    this.socket.start();
  }

  /** The terminal in front, if it is one. */
  get terminal() {
    return this.terminals.get(Number(this.tabs.current));
  }

  /** @param {string} right */
  may(right) {
    return this.client.rights.has(right);
  }

  // ---- sessions

  /** @param {boolean} restarted */
  #hello(restarted) {
    this.#restarted = restarted;
    document.body.classList.toggle("view-only", !this.may("type"));
    byId("view-only").hidden = this.may("type");
    byId("new-terminal").hidden = !this.may("run");
    this.scroll.allow(this.may("run"));
    if (!this.client.session && !this.#over) {
      void this.#chooseSession();
    }
  }

  #over = false;

  async #chooseSession() {
    const wanted = decodeURIComponent(/^#s=(.+)$/.exec(location.hash)?.[1] ?? "");
    if (wanted && wanted === this.client.session?.id) {
      return;
    }
    try {
      const { sessions } = await this.client.list();
      const last = localStorage.getItem(LAST_SESSION);
      const own = sessions.filter((/** @type {any} */ session) => session.owner === this.client.hello?.identity || !this.may("run"));
      const found =
        sessions.find((/** @type {any} */ session) => session.session === wanted) ??
        own.find((/** @type {any} */ session) => session.session === last) ??
        own.findLast((/** @type {any} */ session) => session.name !== "plain");
      if (found) {
        await this.client.attach(found.session);
        if (!this.client.processes.size && this.may("run")) {
          await this.newTerminal();
        }
      } else if (this.may("run")) {
        await this.newSession();
      } else {
        this.#status.session({ text: "There is nothing to watch yet.", label: "Look again", action: () => void this.#chooseSession() });
      }
    } catch (error) {
      this.#complain(error);
    }
  }

  async newSession() {
    try {
      await this.client.open();
      await this.newTerminal();
    } catch (error) {
      this.#complain(error);
    }
  }

  /**
   * @param {Message} event
   * @param {boolean} resumed
   */
  #attached(event, resumed) {
    this.#over = false;
    this.#status.session(null);
    history.replaceState(null, "", `#s=${encodeURIComponent(event.session)}`);
    localStorage.setItem(LAST_SESSION, event.session);
    const shown = sessionStorage.getItem(`webshell.tab.${event.session}`); // before what goes shows another
    if (!resumed) {
      this.#reset();
    }
    for (const record of event.processes) {
      const view = this.terminals.get(record.process);
      if (view) {
        view.attached(record, resumed);
      } else if (record.pty || !this.scroll.has(record.process)) {
        this.#found(record, false);
      }
    }
    if (!resumed) {
      const terminals = this.tabs.ids.filter((id) => id !== SCROLL);
      this.tabs.select(shown ?? terminals.at(-1) ?? SCROLL);
      if (!this.tabs.current) {
        this.tabs.select(terminals.at(-1) ?? SCROLL);
      }
    }
  }

  #reset() {
    for (const process of [...this.terminals.keys()]) {
      this.#removed(process);
    }
    this.scroll.reset();
  }

  /** @param {string} text */
  #ended(text) {
    this.#over = true;
    this.terminals.forEach((view, process) => {
      view.setOptions({ mayType: false });
      this.tabs.mark(String(process), "exited");
    });
    if (this.may("run")) {
      this.#status.session({ text, label: "Start a new session", action: () => void this.newSession() });
    } else {
      this.#status.session({ text, label: "Look for another", action: () => void this.#chooseSession() });
    }
  }

  // ---- processes

  async newTerminal() {
    try {
      await this.client.start({ runner: "shell", ...fittingSize(byId("panels"), this.settings.terminal), name: `Terminal ${this.terminals.size + 1}` });
    } catch (error) {
      this.#complain(error);
    }
  }

  /**
   * @param {ProcessRecord} record
   * @param {boolean} fresh it has just been started
   */
  #found(record, fresh) {
    if (!record.pty) {
      this.scroll.found(record);
      return;
    }
    const id = String(record.process);
    const view = new TerminalView(this.client, record, {
      ...this.settings.terminal,
      mayType: this.may("type"),
      confirmPaste,
      onTitle: (title) => this.tabs.entitle(id, title || record.name),
      onBell: () => this.#bell(id, view),
      onNotice: (text, action) => notice(text, action),
    });
    this.terminals.set(record.process, view);
    const panel = element("div", { className: "terminal-panel" }, view.element);
    this.#keys.watch(panel);
    const onshow = () => {
      view.show();
      this.#shown(id, view);
    };
    this.tabs.add({ id, panel, closable: this.may("run"), onshow, onhide: () => view.hide() }, record.name);
    if (record.state === "exited") {
      this.tabs.mark(id, "exited");
    }
    if (fresh) {
      this.tabs.select(id);
    }
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
    const view = this.terminals.get(event.process);
    if (view) {
      view.exited(event);
      this.tabs.mark(String(event.process), "exited");
    } else {
      this.scroll.exited(event);
    }
  }

  /** @param {Message} event */
  #renamed(event) {
    if (event.process !== null) {
      this.tabs.entitle(String(event.process), event.name);
    }
  }

  /** @param {number} process */
  #removed(process) {
    const view = this.terminals.get(process);
    if (view) {
      this.terminals.delete(process);
      this.tabs.remove(String(process));
      view.dispose();
    }
  }

  /**
   * @param {string} id
   * @param {TerminalView} view
   */
  #bell(id, view) {
    this.tabs.mark(id, "bell");
    view.element.classList.add("flash");
    setTimeout(() => view.element.classList.remove("flash"), 150);
  }

  /**
   * @param {string} id of a tab that has come to the front
   * @param {{focus: () => void}} view
   */
  #shown(id, view) {
    sessionStorage.setItem(`webshell.tab.${this.client.session?.id}`, id); // a reload shows it again
    if (!document.querySelector("dialog[open]")) {
      view.focus();
    }
  }

  /** @param {string} id close a terminal's tab */
  async close(id) {
    const process = Number(id);
    const record = this.client.processes.get(process);
    if (!record || !this.may("run")) {
      this.#removed(process); // a session that is gone, or one that we only watch: the view goes
      return;
    }
    try {
      if (record.state === "running") {
        const body = [`"${record.name}" is still running. Everything that it started will be ended.`];
        if (!(await ask({ title: "Close this terminal?", body, confirm: "End it" })).confirmed) {
          return;
        }
        await this.client.request("stop", { process });
        await this.#whenExited(process);
      }
      await this.client.request("remove", { process });
    } catch (error) {
      this.#complain(error);
    }
  }

  /** @param {number} process */
  async #whenExited(process) {
    while (this.client.processes.get(process)?.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, 50)); // after HUP at once; after a grace if it is stubborn
    }
  }

  /** @param {string} id */
  async rename(id) {
    const record = this.client.processes.get(Number(id));
    if (record && this.may("run")) {
      const { confirmed, text } = await ask({ title: "Name of this terminal", field: record.name, confirm: "Rename" });
      if (confirmed && text.trim()) {
        this.client.request("rename", { process: record.process, name: text.trim() }).catch(complain);
      }
    }
  }

  /** @param {Message} event */
  #presence(event) {
    const others = event.clients.filter((/** @type {any} */ client) => !client.you);
    const badge = byId("presence");
    badge.hidden = !others.length;
    badge.textContent = `+${others.length} here`;
    badge.title = others.map((/** @type {any} */ client) => `${client.identity} (${client.rights.includes("type") ? "may type" : "watches"})`).join("\n");
  }

  /** @param {unknown} error */
  #complain(error) {
    if (/** @type {any} */ (error).code !== "disconnected") {
      complain(/** @type {Error} */ (error)); // the status bar tells the other
    }
  }
}

/** @param {string} text */
async function confirmPaste(text) {
  const lines = text.split(/\r\n|\r|\n/).length;
  const body = [element("p", {}, "Each line is run as soon as it arrives."), element("pre", {}, text.length > 5000 ? `${text.slice(0, 5000)}…` : text)];
  return (await ask({ title: `Paste ${lines} lines?`, body, confirm: "Paste" })).confirmed;
}

export const app = new App();
