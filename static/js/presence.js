/** Who else is attached to the session: a badge with their number, and their names when it is pressed. */

import { ask, element } from "./dialog.js";

/** @typedef {{identity: string, rights: string[], you: boolean}} Person */

export class Presence {
  #badge;
  /** @type {Person[]} */
  #people = [];

  /** @param {HTMLElement} badge */
  constructor(badge) {
    this.#badge = badge;
    badge.addEventListener("click", () => void this.#show());
  }

  /** @param {Person[]} people who are here now */
  tell(people) {
    this.#people = people;
    this.#badge.hidden = people.length < 2;
    this.#badge.replaceChildren(String(people.length), element("span", {}, " here"));
    this.#badge.setAttribute("aria-label", `${people.length} here`);
  }

  async #show() {
    const rows = this.#people.map(({ identity, rights, you }) =>
      element("tr", {}, element("td", {}, you ? `${identity} (you)` : identity), element("td", {}, described(rights))),
    );
    await ask({ title: "Who is here", body: [element("table", {}, ...rows)], confirm: "Close", cancel: "" });
  }
}

/** @param {string[]} rights */
function described(rights) {
  return rights.includes("run") ? "may type and run" : rights.includes("type") ? "may type" : "watches";
}
