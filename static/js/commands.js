/** What can be done from the menu and by keys: search, appearance, sharing, sessions, help. */

import { copyText } from "./clipboard.js";
import { ask, complain, element, notice } from "./dialog.js";
import { Menu } from "./menu.js";
import { Search } from "./search.js";

/** @typedef {import("./menu.js").Item} Item */

const HELP = [
  ["Alt+Shift+N", "new terminal"],
  ["Alt+Shift+W", "close the terminal"],
  ["Alt+1 … Alt+9", "show a tab; Alt+1 is the scroll"],
  ["Alt+Shift+M", "the menu; Tab is the program's in a terminal"],
  ["Ctrl+Shift+F", "search in the terminal"],
  ["Ctrl+Shift+C, Ctrl+Shift+V", "copy, paste"],
  ["Ctrl++, Ctrl+-, Ctrl+0", "larger, smaller, usual letters"],
  ["Ctrl+click", "open a link"],
  ["F2, Delete", "on a tab: rename, close"],
  ["↑, ↓", "in the scroll: what was entered before"],
  ["Ctrl+C, Ctrl+L", "in the scroll: stop what runs, clear"],
];

export class Commands {
  #app;
  #search;
  #menu;

  /** @param {import("./app.js").app} app */
  constructor(app) {
    this.#app = app;
    const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
    this.#menu = new Menu(element("menu-button"), element("menu"), () => this.#items());
    this.#search = new Search(/** @type {HTMLFormElement} */ (element("search")), () => app.terminal);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { altKey, ctrlKey, shiftKey, code, key } = event;
    const app = this.#app;
    if (document.querySelector("dialog[open]")) {
      return;
    }
    if (altKey && shiftKey && !ctrlKey && code === "KeyN") {
      app.newTerminal();
    } else if (altKey && shiftKey && !ctrlKey && code === "KeyW") {
      app.close(app.tabs.current);
    } else if (altKey && !shiftKey && !ctrlKey && /^Digit[1-9]$/.test(code)) {
      app.tabs.selectNumber(Number(code.at(-1)));
    } else if (altKey && shiftKey && !ctrlKey && code === "KeyM") {
      void this.#menu.open();
    } else if (ctrlKey && shiftKey && code === "KeyF" && app.terminal) {
      this.#search.open();
    } else if (ctrlKey && !altKey && (key === "+" || key === "=")) {
      app.settings.zoom(1);
    } else if (ctrlKey && !altKey && !shiftKey && key === "-") {
      app.settings.zoom(-1);
    } else if (ctrlKey && !altKey && !shiftKey && key === "0") {
      app.settings.zoom(0);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @returns {Promise<Item[]>} the menu */
  async #items() {
    const { settings, client } = this.#app;
    const may = (/** @type {string} */ right) => this.#app.may(right);
    const when = (/** @type {boolean} */ condition, /** @type {Item[]} */ ...items) => (condition ? items : []);
    const theme = (/** @type {string} */ name, /** @type {string} */ text) => ({ text, checked: settings.theme === name, action: () => settings.change({ theme: name }) });
    return [
      ...when(may("run"), { text: "New terminal", key: "Alt+Shift+N", action: () => this.#app.newTerminal() }),
      ...when(may("run") && this.#app.terminal !== undefined, { text: "Rename this terminal …", action: () => this.#app.rename(this.#app.tabs.current) }),
      ...when(this.#app.terminal !== undefined, { text: "Close this terminal", key: "Alt+Shift+W", action: () => void this.#app.close(this.#app.tabs.current) }),
      { text: "What runs here", action: () => void this.#processes() },
      ...when(this.#app.terminal !== undefined, { text: "Search", key: "Ctrl+Shift+F", action: () => this.#search.open() }),
      ...when(this.#app.files.may, { text: "Send files …", action: () => this.#app.files.choose() }, { text: "Get files …", action: () => void this.#app.files.browse() }),
      ...when(may("manage"), { text: "Share to watch …", action: () => void this.#share() }),
      { heading: "Sessions" },
      ...(await this.#sessions()),
      ...when(may("run"), { text: "New session", action: () => void this.#app.newSession() }),
      ...when(
        may("run") && client.session !== null,
        { text: "Rename this session …", action: () => void this.#renameSession() },
        { text: "End this session …", action: () => void this.#endSession() },
      ),
      { heading: "Appearance" },
      theme("system", "As the system"),
      theme("light", "Light"),
      theme("dark", "Dark"),
      { text: "Larger letters", key: "Ctrl++", action: () => settings.zoom(1) },
      { text: "Smaller letters", key: "Ctrl+-", action: () => settings.zoom(-1) },
      { text: "Screen reader mode", checked: settings.screenReader, action: () => settings.change({ screenReader: !settings.screenReader }) },
      { heading: "webshell" },
      { text: "Keys and help", action: () => void this.#help() },
      { text: "Log out", action: () => void this.#logOut() },
    ];
  }

  // ---- sessions

  /** @returns {Promise<Item[]>} */
  async #sessions() {
    try {
      const { sessions } = await this.#app.client.list();
      return sessions.map((/** @type {any} */ { session, name, owner }) => ({
        text: owner === this.#app.client.hello?.identity ? name : `${name} (${owner})`,
        checked: session === this.#app.client.session?.id,
        action: () => void this.#app.client.attach(session).catch(complain),
      }));
    } catch {
      return [];
    }
  }

  async #renameSession() {
    const { client } = this.#app;
    const { confirmed, text } = await ask({ title: "Name of this session", field: client.session?.name ?? "", confirm: "Rename" });
    if (confirmed && text.trim()) {
      client.request("rename", { name: text.trim() }).catch(complain);
    }
  }

  async #endSession() {
    const body = ["Its terminals are closed, and everything that runs in it is ended."];
    if ((await ask({ title: "End this session?", body, confirm: "End it" })).confirmed) {
      this.#app.client.request("close").catch(complain);
    }
  }

  async #processes() {
    const { client } = this.#app;
    const table = element("table", {});
    for (const record of client.processes.values()) {
      if (record.state === "running" || record.survivors.length) {
        const stop = element("button", { type: "button" }, "Stop");
        stop.addEventListener("click", () => {
          client.request("stop", { process: record.process }).catch(complain);
          stop.closest("tr")?.remove();
        });
        const what = record.state === "running" ? record.name : `${record.name}: left running`;
        const since = new Date(record.started * 1000).toLocaleTimeString();
        const link = element("a", { href: `s/${client.session?.id}#${record.process}`, title: "Show it" }, what);
        link.addEventListener("click", (event) => {
          event.preventDefault(); // it is here already; the address is for others, and for programs
          link.closest("dialog")?.close();
          this.#app.show(record.process);
        });
        const cells = [link, `since ${since}`, ...(this.#app.may("run") ? [stop] : [])];
        table.append(element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
      }
    }
    await ask({ title: "What runs in this session", body: [table.childElementCount ? table : "Nothing."], confirm: "Close", cancel: "" });
  }

  // ---- others

  async #share() {
    try {
      const answer = await fetch("share", { method: "POST" });
      const { view } = await answer.json();
      const link = new URL(`${view}#s=${encodeURIComponent(this.#app.client.session?.id ?? "")}`, document.baseURI).href;
      const body = ["Whoever opens this link sees what happens here and can change nothing."];
      const { confirmed } = await ask({ title: "A link to watch", body, field: link, confirm: "Copy", cancel: "Close" });
      if (confirmed && (await copyText(link))) {
        notice("Copied.");
      }
    } catch {
      notice("The server gave no link. Is it reachable?");
    }
  }

  async #help() {
    const rows = HELP.map(([keys, what]) => element("tr", {}, element("td", {}, ...keyNames(keys ?? "")), element("td", {}, what ?? "")));
    await ask({ title: "Keys", body: [element("table", {}, ...rows)], confirm: "Close", cancel: "" });
  }

  async #logOut() {
    await fetch("logout", { method: "POST", redirect: "manual" }).catch(() => null);
    location.assign("login");
  }
}

/** @param {string} keys separated by commas */
function keyNames(keys) {
  return keys.split(", ").flatMap((key, number) => [...(number ? [", "] : []), element("kbd", {}, key)]);
}
