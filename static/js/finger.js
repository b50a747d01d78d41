/** A finger on a terminal pulls its lines along; a tap is left alone. xterm.js itself knows only wheels. */

const SLOP_PIXELS = 10; // less than that is a tap

/**
 * @param {HTMLElement} element whose style leaves such movements to us (`touch-action`)
 * @param {() => number} height of a line, in pixels
 * @param {(lines: number, event: PointerEvent) => void} pulled below 0: towards what came before
 */
export function followFinger(element, height, pulled) {
  /** @type {number | null} where the lines under the finger were last moved to */
  let at = null;
  let moving = false;
  const ours = (/** @type {PointerEvent} */ event) => event.pointerType === "touch" && event.isPrimary;
  element.addEventListener("pointerdown", (event) => {
    if (ours(event)) {
      at = event.clientY;
      moving = false;
    }
  });
  element.addEventListener("pointermove", (event) => {
    if (!ours(event) || at === null) {
      return;
    }
    moving ||= Math.abs(event.clientY - at) > SLOP_PIXELS;
    const lines = moving ? Math.trunc((event.clientY - at) / height()) : 0;
    if (lines) {
      at += lines * height();
      pulled(-lines, event);
    }
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
    element.addEventListener(end, (event) => {
      at = ours(event) ? null : at;
    });
  }
}
