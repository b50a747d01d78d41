/** What a person has chosen for this browser: theme, font size, screen reader mode. Kept in localStorage. */

import { BROWSER, recall, remember } from "./memory.js";

const KEY = "settings";
const DEFAULTS = { theme: "system", fontSize: 14, screenReader: false };
const SMALLEST = 8;
const LARGEST = 32;

/** The terminal's colours; both themes keep a contrast of 4.5:1 for the eight basic ones. */
const PALETTES = {
  light: {
    background: "#fbfcfb", foreground: "#1c2422", cursor: "#0f766e", cursorAccent: "#fbfcfb", selectionBackground: "#0f766e40",
    black: "#1c2422", red: "#b42318", green: "#15703a", yellow: "#85560a", blue: "#1d4ed8", magenta: "#a21caf", cyan: "#0e6f88", white: "#68716f",
    brightBlack: "#5b6865", brightRed: "#dc2626", brightGreen: "#15803d", brightYellow: "#92600a", brightBlue: "#2563eb", brightMagenta: "#c026d3", brightCyan: "#0e7490", brightWhite: "#3b4442",
  },
  dark: {
    background: "#101615", foreground: "#e1e8e6", cursor: "#2dd4bf", cursorAccent: "#101615", selectionBackground: "#2dd4bf45",
    black: "#283331", red: "#ff8b7e", green: "#63d98a", yellow: "#e9c46a", blue: "#82aaff", magenta: "#e29bf0", cyan: "#67d4e8", white: "#c8d2cf",
    brightBlack: "#7d8b87", brightRed: "#ffa99f", brightGreen: "#8cecac", brightYellow: "#f7d98a", brightBlue: "#a9c5ff", brightMagenta: "#f0bdf8", brightCyan: "#98e6f4", brightWhite: "#ffffff",
  },
};

/** How what is searched for is marked: all that there is, and the one that is shown. */
const MATCHES = {
  light: { matchBackground: "#cfe8e4", activeMatchBackground: "#f8d98a", activeMatchBorder: "#92600a", matchOverviewRuler: "#0f766e", activeMatchColorOverviewRuler: "#92600a" },
  dark: { matchBackground: "#1d4742", activeMatchBackground: "#7a5c12", activeMatchBorder: "#facc6b", matchOverviewRuler: "#2dd4bf", activeMatchColorOverviewRuler: "#facc6b" },
};

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

class Settings {
  #values = { ...DEFAULTS, ...recall(BROWSER, KEY) };
  onchange = () => {};

  constructor() {
    systemIsDark.addEventListener("change", () => this.#apply());
    this.#draw();
  }

  get theme() {
    return this.#values.theme;
  }

  get fontSize() {
    return this.#values.fontSize;
  }

  get screenReader() {
    return this.#values.screenReader;
  }

  /** @returns {"light" | "dark"} */
  get mode() {
    const dark = this.theme === "system" ? systemIsDark.matches : this.theme === "dark";
    return dark ? "dark" : "light";
  }

  /** What a terminal is to be told. */
  get terminal() {
    const fontFamily = getComputedStyle(document.documentElement).getPropertyValue("--mono").trim() || "monospace";
    return { theme: PALETTES[this.mode], matches: MATCHES[this.mode], fontSize: this.fontSize, fontFamily, screenReader: this.screenReader };
  }

  /** @param {Partial<typeof DEFAULTS>} values */
  change(values) {
    Object.assign(this.#values, values);
    this.#values.fontSize = Math.max(SMALLEST, Math.min(LARGEST, this.#values.fontSize));
    remember(BROWSER, KEY, this.#values);
    this.#apply();
  }

  /** @param {number} step in pixels; 0: back to the default */
  zoom(step) {
    this.change({ fontSize: step ? this.fontSize + step : DEFAULTS.fontSize });
  }

  #apply() {
    this.#draw();
    this.onchange();
  }

  /** What the style sheet goes by. */
  #draw() {
    document.documentElement.dataset.theme = this.mode;
    document.documentElement.style.setProperty("--letters", `${this.fontSize}px`);
  }
}

export const settings = new Settings();
