/** The third-party modules of the page, all of them: nobody else imports from node_modules. */

import "./nonce.js"; // before xterm, which makes its style elements without asking
// @ts-ignore - the types stand in the package, not beside this file
import * as xterm from "../node_modules/@xterm/xterm/lib/xterm.mjs";
// @ts-ignore
import * as fit from "../node_modules/@xterm/addon-fit/lib/addon-fit.mjs";
// @ts-ignore
import * as search from "../node_modules/@xterm/addon-search/lib/addon-search.mjs";
// @ts-ignore
import * as graphemes from "../node_modules/@xterm/addon-unicode-graphemes/lib/addon-unicode-graphemes.mjs";
// @ts-ignore
import * as links from "../node_modules/@xterm/addon-web-links/lib/addon-web-links.mjs";

/** @typedef {import("@xterm/xterm").Terminal} XTerm */
/** @typedef {import("@xterm/xterm").ITheme} Theme */

export const Terminal = /** @type {typeof import("@xterm/xterm").Terminal} */ (xterm.Terminal);
export const FitAddon = /** @type {typeof import("@xterm/addon-fit").FitAddon} */ (fit.FitAddon);
export const SearchAddon = /** @type {typeof import("@xterm/addon-search").SearchAddon} */ (search.SearchAddon);
export const UnicodeGraphemesAddon =
  /** @type {typeof import("@xterm/addon-unicode-graphemes").UnicodeGraphemesAddon} */ (graphemes.UnicodeGraphemesAddon);
export const WebLinksAddon = /** @type {typeof import("@xterm/addon-web-links").WebLinksAddon} */ (links.WebLinksAddon);
