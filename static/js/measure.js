/** How many rows and columns a terminal will have in a panel: asked before it starts, so that its first prompt is drawn right. */

import { FitAddon, Terminal } from "./vendor.js";

const USUAL = { rows: 24, cols: 80 }; // where nothing can be measured: a page that is not shown

/**
 * @param {HTMLElement} panels where its panel will be
 * @param {{fontFamily: string, fontSize: number}} options
 * @returns {{rows: number, cols: number}}
 */
export function fittingSize(panels, { fontFamily, fontSize }) {
  const panel = document.createElement("div");
  const element = document.createElement("div");
  panel.className = "terminal-panel measured";
  panel.setAttribute("aria-hidden", "true");
  element.className = "terminal";
  panel.append(element);
  panels.append(panel);
  const terminal = new Terminal({ fontFamily, fontSize });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  const { rows, cols } = fit.proposeDimensions() ?? USUAL;
  terminal.dispose();
  panel.remove();
  return Number.isFinite(rows) && Number.isFinite(cols) ? { rows, cols } : USUAL;
}
