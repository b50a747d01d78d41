/** How many rows and columns a terminal will have in a panel: asked before it starts, so that its first prompt is drawn right. */

const USUAL = { rows: 24, cols: 80 }; // where nothing can be measured: a page that is not shown
const SCROLL_BAR = 14; // pixels that the fit addon of xterm.js leaves for it

/**
 * Reckoned as xterm.js and its addon do. To let them do it takes a terminal of its own: 40 ms more to the first prompt.
 *
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
  const { width, height } = getComputedStyle(element);
  const room = { width: parseInt(width) - SCROLL_BAR, height: parseInt(height) };
  panel.remove();
  const cell = cellSize(`${fontSize}px ${fontFamily}`);
  const rows = fitting(room.height, cell.height);
  const cols = fitting(room.width, cell.width);
  return rows > 0 && cols > 0 ? { rows, cols } : USUAL;
}

/** @param {string} font */
function cellSize(font) {
  const context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  context.font = font;
  const { width, fontBoundingBoxAscent, fontBoundingBoxDescent } = context.measureText("W");
  const dots = Math.ceil((fontBoundingBoxAscent + fontBoundingBoxDescent) * devicePixelRatio);
  return { width, height: dots / devicePixelRatio };
}

/**
 * How many cells fit. The whole screen has a whole number of pixels, which stretches its cells a little.
 *
 * @param {number} room pixels
 * @param {number} cell pixels
 * @returns {number} NaN: nothing could be measured
 */
function fitting(room, cell) {
  const count = Math.floor(room / cell);
  return Math.floor(room / (Math.round(count * cell) / count));
}
