/** What is made by a script of its own, while the rest of the page is on its way: a terminal that the first process takes. */

import { element } from "./dialog.js";
import { fittingSize } from "./measure.js";
import { Screen } from "./screen.js";
import { settings } from "./settings.js";

class Spare {
  /** @type {Screen | null} */
  #screen;
  #panel = element("div", { className: "terminal-panel measured", "aria-hidden": "true" });

  /**
   * @param {HTMLElement} panels
   * @param {import("./screen.js").Looks & {fontFamily: string, fontSize: number}} looks
   */
  constructor(panels, looks) {
    const place = element("div", { className: "terminal" });
    this.#panel.append(place);
    const size = fittingSize(panels, looks);
    panels.append(this.#panel);
    this.#screen = new Screen(place, size, looks);
    this.#screen.open();
  }

  /**
   * Hand it over, once.
   *
   * @returns {Screen | null} null: it was taken
   */
  take() {
    const screen = this.#screen;
    this.#screen = null;
    this.#panel.remove();
    return screen;
  }
}

export const spare = new Spare(/** @type {HTMLElement} */ (document.getElementById("panels")), settings.terminal);
