/** Files to and from the folder of the terminal in front: what is dropped, chosen or looked for. */

import { notice } from "./dialog.js";
import { acceptFiles } from "./dropping.js";

export class Files {
  #app;

  /**
   * @param {import("./app.js").app} app
   * @param {HTMLElement} place where files may be dropped
   */
  constructor(app, place) {
    this.#app = app;
    acceptFiles(place, { may: () => this.may, where: () => this.#where, dropped: (entries) => void this.#dropped(entries) });
  }

  /** Whether files may be sent and fetched now. */
  get may() {
    return this.#app.client.session !== null && (this.#app.may("type") || this.#app.may("run"));
  }

  /** Let the person choose files, and send them. */
  choose() {
    const input = Object.assign(document.createElement("input"), { type: "file", multiple: true });
    input.addEventListener("change", () => void this.#send(async () => [...(input.files ?? [])].map((file) => ({ path: file.name, file }))));
    input.click();
  }

  /** Let the person look for files, and save them. */
  async browse() {
    const session = this.#app.client.session;
    if (session) {
      const { Shelf } = await import("./fetching.js");
      await new Shelf(session.id).show(this.#place);
    }
  }

  /** @param {FileSystemEntry[]} entries */
  async #dropped(entries) {
    const { filesIn } = await import("./sending.js");
    await this.#send(() => filesIn(entries));
  }

  /** @param {() => Promise<import("./sending.js").Sent[]>} found */
  async #send(found) {
    const [session, place] = [this.#app.client.session, this.#place]; // another tab may be in front later
    try {
      const { Lot } = await import("./sending.js");
      const files = await found();
      if (session && files.length) {
        await new Lot(files, { session: session.id, place }).run();
      }
    } catch (error) {
      notice(`Not sent: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @returns {{[name: string]: number}} */
  get #place() {
    const process = Number(this.#app.tabs.current);
    return this.#app.client.processes.has(process) ? { process } : {};
  }

  get #where() {
    const record = this.#app.client.processes.get(Number(this.#app.tabs.current));
    return record?.state === "running" ? `the folder of “${record.name}”` : "the home folder";
  }
}
