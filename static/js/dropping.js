/** Files that are dragged over the page: where they may be dropped, and what was. The rest is loaded when it is needed. */

import { element } from "./dialog.js";

/**
 * @typedef {Object} Zone
 * @property {() => boolean} may files may be sent now
 * @property {() => string} where they would go, in words
 * @property {(entries: FileSystemEntry[]) => void} dropped
 */

/**
 * Let files be dropped over *place*, and nowhere else.
 *
 * @param {HTMLElement} place
 * @param {Zone} zone
 */
export function acceptFiles(place, zone) {
  const sign = element("div", { className: "drop-zone", hidden: true });
  place.append(sign);
  const holds = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  const hide = () => {
    sign.hidden = true;
  };
  const drag = (/** @type {DragEvent} */ event) => {
    if (!holds(event)) {
      return;
    }
    event.preventDefault(); // else the browser would leave the page and show the file
    const here = place.contains(/** @type {Node} */ (event.target)) && !document.querySelector("dialog[open]");
    /** @type {DataTransfer} */ (event.dataTransfer).dropEffect = here && zone.may() ? "copy" : "none";
    sign.hidden = !here;
    sign.textContent = zone.may() ? `Drop to send to ${zone.where()}` : "You may only watch here";
  };
  addEventListener("dragenter", drag, { capture: true });
  addEventListener("dragover", drag, { capture: true });
  addEventListener("dragleave", (event) => event.relatedTarget ?? hide(), { capture: true });
  addEventListener(
    "drop",
    (event) => {
      hide();
      if (!holds(event)) {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      // now: after the event they are gone
      const entries = [.../** @type {DataTransfer} */ (event.dataTransfer).items].map((item) => item.webkitGetAsEntry());
      if (zone.may()) {
        zone.dropped(entries.filter((entry) => entry !== null));
      }
    },
    { capture: true },
  );
}
