/** The bar that says in words what is the matter, and what can be done about it. */

import { element } from "./dialog.js";

/** @typedef {import("./socket.js").Status} Status */

export class StatusBar {
  #bar;
  #retry;
  /** @type {Status} */
  #status = { state: "connecting" };
  /** @type {{text: string, label: string, action: () => void} | null} what is the matter with the session */
  #trouble = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;
  #shown = "";
  #countdown = element("span", { "aria-hidden": "true" }); // nobody wants each second read aloud

  /**
   * @param {HTMLElement} bar
   * @param {() => void} retry
   */
  constructor(bar, retry) {
    this.#bar = bar;
    this.#retry = retry;
  }

  /** @param {Status} status of the connection */
  connection(status) {
    this.#status = status;
    clearInterval(this.#clock);
    if (status.state === "waiting") {
      this.#clock = setInterval(() => this.#draw(), 500);
    }
    this.#draw();
  }

  /**
   * Something is the matter with the session; null: not any more.
   *
   * @param {{text: string, label: string, action: () => void} | null} trouble
   */
  session(trouble) {
    this.#trouble = trouble;
    this.#draw();
  }

  #draw() {
    const { text, control, countdown = "" } = this.#words();
    this.#bar.hidden = !text;
    this.#bar.classList.toggle("lasting", !/^(connecting|waiting|offline)$/.test(this.#status.state));
    if (text !== this.#shown) {
      this.#shown = text;
      this.#bar.replaceChildren(element("span", {}, text, this.#countdown), ...(control ? [control()] : [])); // not more often: it may have the focus
    }
    this.#countdown.textContent = countdown;
  }

  /** @returns {{text: string, control?: () => HTMLElement, countdown?: string}} */
  #words() {
    const { state, retryAt = 0, detail = "" } = this.#status;
    const now = () => button("Try now", this.#retry);
    switch (state) {
      case "connecting":
        return { text: "Connecting…" };
      case "waiting": {
        const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
        const what = /reached/.test(detail) ? "The server cannot be reached." : `The connection was lost: ${detail}.`;
        return { text: `${what} Trying again `, countdown: `${seconds ? `in ${seconds} s` : "now"}.`, control: now };
      }
      case "offline":
        return { text: "You are offline. It goes on by itself when the network is back.", control: now };
      case "login":
        return { text: "Your login is no longer valid here.", control: () => element("a", { href: "login" }, "Log in") };
      case "stopped":
        return { text: "Not connected.", control: now };
      default:
        return this.#trouble ? trouble(this.#trouble) : { text: "" };
    }
  }
}

/** @param {{text: string, label: string, action: () => void}} trouble */
function trouble({ text, label, action }) {
  return { text, control: () => button(label, action) };
}

/**
 * @param {string} text
 * @param {() => void} action
 */
function button(text, action) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", action);
  return made;
}
