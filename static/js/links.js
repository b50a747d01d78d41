/** Links in a terminal: only to the web, and only after their true target could be seen. */

const TARGET_CHARACTERS = 2048; // shown; a longer one is cut with an ellipsis

/**
 * The address in its plain form (host in punycode, odd characters escaped), or null if it is not one of the web.
 *
 * @param {string} text
 * @returns {string | null}
 */
export function webAddress(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && (url.protocol === "http:" || url.protocol === "https:") ? url.href : null;
}

/** Shows where a link leads, beside the pointer, and follows it. An xterm.js link handler. */
export class Links {
  allowNonHttpProtocols = false;
  #tip = document.createElement("div");

  /** @param {HTMLElement} parent where the tooltip is shown */
  constructor(parent) {
    this.#tip.className = "terminal-link";
    this.#tip.setAttribute("role", "tooltip");
    this.#tip.hidden = true;
    this.#tip.style.position = "fixed"; // its looks are the style sheet's
    this.#tip.style.pointerEvents = "none";
    parent.append(this.#tip);
  }

  /**
   * @param {MouseEvent} event
   * @param {string} text
   */
  activate = (event, text) => {
    const address = webAddress(text);
    if (address && (event.ctrlKey || event.metaKey || touched())) {
      window.open(address, "_blank", "noopener,noreferrer");
    }
  };

  /**
   * @param {MouseEvent} event
   * @param {string} text
   */
  hover = (event, text) => {
    const address = webAddress(text);
    if (!address) {
      return;
    }
    const shown = address.length > TARGET_CHARACTERS ? `${address.slice(0, TARGET_CHARACTERS)}…` : address;
    this.#tip.textContent = `${shown} (${touched() ? "tap" : `${modifier()}+click`} to open)`;
    this.#tip.hidden = false;
    const { width, height } = this.#tip.getBoundingClientRect();
    const above = event.clientY - height - 16;
    this.#tip.style.left = `${Math.max(0, Math.min(event.clientX, window.innerWidth - width))}px`;
    this.#tip.style.top = `${above > 0 ? above : event.clientY + 16}px`;
  };

  leave = () => {
    this.#tip.hidden = true;
  };
}

function touched() {
  return matchMedia("(pointer: coarse)").matches;
}

function modifier() {
  return navigator.platform.startsWith("Mac") ? "Cmd" : "Ctrl";
}
