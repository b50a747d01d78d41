/** A script of its own that goes into a session while the rest of the page is on its way: a shell takes as long to start as that. */

import { named } from "./address.js";
import { early } from "./early.js";
import { Entrance } from "./entrance.js";
import { fittingSize } from "./measure.js";
import { BROWSER, recall } from "./memory.js";
import { settings } from "./settings.js";

const waiting = /** @type {import("./early.js").Early} */ (early);
const panels = /** @type {HTMLElement} */ (document.getElementById("panels"));

export const entrance = new Entrance(waiting);
void entrance.enter({ wanted: named(location).session, last: recall(BROWSER, "session"), size: () => fittingSize(panels, settings.terminal) });
