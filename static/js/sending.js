/** Files that a person sends: one line for each lot, with its progress, a way to give it up, and questions about what is there. */

import { element } from "./dialog.js";
import { Refusal, send, sendFolder } from "./transfer.js";

/** @typedef {{path: string, file: File | null}} Sent null: an empty folder */

const MOST_FILES = 10000; // in one lot
const THERE = "is there already"; // other conflicts are links, or files where folders would be
const SHOWN_MILLISECONDS = 8000; // after it is done
const UNITS = ["B", "KB", "MB", "GB", "TB"];

/**
 * All files in what was dropped, by their paths.
 *
 * @param {FileSystemEntry[]} entries
 * @returns {Promise<Sent[]>}
 */
export async function filesIn(entries) {
  /** @type {Sent[]} */
  const found = [];
  const waiting = [...entries].reverse();
  for (let entry = waiting.pop(); entry; entry = waiting.pop()) {
    const path = entry.fullPath.replace(/^\//, "");
    if (entry.isFile) {
      const from = /** @type {FileSystemFileEntry} */ (entry);
      found.push({ path, file: await new Promise((resolve, reject) => from.file(resolve, reject)) });
    } else {
      const inside = await inFolder(/** @type {FileSystemDirectoryEntry} */ (entry));
      waiting.push(...inside.reverse());
      if (!inside.length) {
        found.push({ path, file: null });
      }
    }
    if (found.length + waiting.length > MOST_FILES) {
      throw new Error(`More than ${MOST_FILES} files: send an archive, and unpack it here.`);
    }
  }
  return found;
}

/**
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<FileSystemEntry[]>}
 */
async function inFolder(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await /** @type {Promise<FileSystemEntry[]>} */ (new Promise((resolve, reject) => reader.readEntries(resolve, reject)));
    if (!some.length || all.length > MOST_FILES) {
      return all;
    }
    all.push(...some);
  }
}

/** One lot of files on its way. */
export class Lot {
  #files;
  #way;
  #stopping = new AbortController();
  #text = element("span", { className: "what" });
  #bar = /** @type {HTMLProgressElement} */ (element("progress", { max: 1, value: 0, "aria-label": "Sent" }));
  #button = element("button", { type: "button" }, "Cancel");
  #line = element("div", { className: "notice lot" }, this.#text, this.#bar, this.#button);
  #arrived = 0;
  #sent = 0;
  #skipped = 0;
  #total;
  /** @type {"replace" | "keep" | "skip" | null} for all that are there already */
  #always = null;

  /**
   * @param {Sent[]} files
   * @param {{session: string, place: {[name: string]: string | number}}} way
   */
  constructor(files, way) {
    this.#files = files;
    this.#way = way;
    this.#total = files.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
    this.#button.addEventListener("click", () => (this.#bar.isConnected ? this.#stopping.abort() : this.#line.remove()));
  }

  /** Send all, one after another. */
  async run() {
    let where = "";
    try {
      for (const { path, file } of this.#files) {
        this.#show(path, 0);
        if (file) {
          const place = await this.#file(path, file);
          where ||= place?.endsWith(`/${path}`) ? place.slice(0, -path.length) : "";
          this.#arrived += file.size;
        } else {
          await sendFolder(path, this.#whole(0));
        }
        this.#sent += 1;
      }
      this.#end(`${count(this.#sent - this.#skipped)} sent${where ? ` to ${where}` : ""}${this.#skipped ? `, ${this.#skipped} skipped` : ""}`);
      setTimeout(() => this.#line.remove(), SHOWN_MILLISECONDS);
    } catch (error) {
      const after = this.#sent ? ` ${count(this.#sent - this.#skipped)} had been sent.` : "";
      if (this.#stopping.signal.aborted) {
        this.#end(`Cancelled.${after}`);
        setTimeout(() => this.#line.remove(), SHOWN_MILLISECONDS);
      } else {
        this.#end(`Not sent: ${/** @type {Error} */ (error).message}.${after}`);
      }
    }
  }

  /**
   * @param {string} path
   * @param {File} file
   * @returns {Promise<string | null>} where it is; null: it was skipped
   */
  async #file(path, file) {
    /** @type {"refuse" | "replace" | "keep"} */
    let exists = this.#always === "replace" || this.#always === "keep" ? this.#always : "refuse";
    for (;;) {
      try {
        return (await send(path, file, { ...this.#whole(file.size), exists, progress: (bytes) => this.#show(path, bytes) })).path;
      } catch (error) {
        if (!(error instanceof Refusal) || error.status !== 409 || !error.message.endsWith(THERE) || exists !== "refuse") {
          throw error;
        }
        const choice = this.#always ?? (await this.#choice(path));
        if (choice === "cancel") {
          this.#stopping.abort();
          throw error;
        }
        if (choice === "skip") {
          this.#skipped += 1;
          return null;
        }
        exists = choice;
      }
    }
  }

  /** @param {number} size */
  #whole(size) {
    return { ...this.#way, signal: this.#stopping.signal, progress: () => this.#show("", size) };
  }

  /**
   * @param {string} path
   * @returns {Promise<"replace" | "keep" | "skip" | "cancel">}
   */
  async #choice(path) {
    const all = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox" }));
    const left = this.#files.length - this.#sent > 1;
    const buttons = Object.entries({ cancel: "Cancel", skip: "Skip", keep: "Keep both", replace: "Replace" }).map(([value, text]) =>
      element("button", { type: "submit", value, className: value === "keep" ? "primary" : "" }, text),
    );
    const form = element(
      "form",
      { method: "dialog" },
      element("h2", { id: "conflict-title" }, `“${path}” ${THERE}`),
      ...(left ? [element("label", { className: "for-all" }, all, " The same for all others")] : []),
      element("div", { className: "actions" }, ...buttons),
    );
    const dialog = /** @type {HTMLDialogElement} */ (element("dialog", { "aria-labelledby": "conflict-title" }, form));
    document.body.append(dialog);
    dialog.showModal();
    buttons[2]?.focus();
    await new Promise((resolve) => dialog.addEventListener("close", resolve));
    dialog.remove();
    const choice = /** @type {"replace" | "keep" | "skip" | "cancel"} */ (dialog.returnValue || "cancel");
    if (all.checked && choice !== "cancel") {
      this.#always = choice;
    }
    return choice;
  }

  /**
   * @param {string} path
   * @param {number} bytes of it that have arrived
   */
  #show(path, bytes) {
    if (!this.#line.isConnected) {
      document.getElementById("notices")?.append(this.#line); // notices push one another out
    }
    const arrived = this.#arrived + bytes;
    this.#bar.value = this.#total ? arrived / this.#total : 0;
    const which = this.#files.length > 1 ? ` (${this.#sent + 1} of ${this.#files.length})` : "";
    this.#text.textContent = `Sending ${path}${which} · ${sized(arrived)} of ${sized(this.#total)}`;
  }

  /** @param {string} text */
  #end(text) {
    this.#bar.remove();
    this.#text.textContent = text;
    this.#button.textContent = "Close";
  }
}

/** @param {number} files */
function count(files) {
  return files === 1 ? "1 file" : `${files} files`;
}

/** @param {number} bytes */
export function sized(bytes) {
  const unit = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${unit ? (bytes / 1000 ** unit).toPrecision(3) : bytes} ${UNITS[unit]}`;
}
