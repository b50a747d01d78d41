/** Search in the terminal in front: from what was written last upwards, as one reads a terminal. */

/** @typedef {import("./terminal.js").TerminalView} TerminalView */

export class Search {
  #form;
  #field;
  #said;
  #terminal;
  /** @type {TerminalView | undefined} where something is marked */
  #marked;

  /**
   * @param {HTMLFormElement} form
   * @param {() => TerminalView | undefined} terminal the one in front
   */
  constructor(form, terminal) {
    this.#form = form;
    this.#terminal = terminal;
    this.#field = /** @type {HTMLInputElement} */ (form.querySelector("input"));
    this.#said = /** @type {HTMLOutputElement} */ (form.querySelector("output"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#find("previous");
    });
    form.querySelector("[data-next]")?.addEventListener("click", () => this.#find("next"));
    form.querySelector("[data-close]")?.addEventListener("click", () => this.close());
    this.#field.addEventListener("input", () => this.#find("last"));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.preventDefault(); // some browsers would empty the field first
        this.close();
      } else if (event.key === "Enter" && event.shiftKey && event.target === this.#field) {
        event.preventDefault();
        this.#find("next");
      }
    });
  }

  open() {
    this.#form.hidden = false;
    this.#field.select();
    this.#field.focus();
  }

  /** What was found last stays selected. */
  close() {
    this.#form.hidden = true;
    this.#said.textContent = "";
    this.#marked?.search("");
    this.#marked = undefined;
    this.#terminal()?.focus();
  }

  /** @param {"next" | "previous" | "last"} direction */
  #find(direction) {
    const terminal = this.#terminal();
    if (this.#marked !== terminal) {
      this.#marked?.search("");
      this.#marked = terminal;
    }
    const text = this.#field.value;
    const { place, count } = terminal?.search(text, direction) ?? { place: 0, count: 0 };
    const many = place ? `${place} of ${count}` : `${count}+`;
    this.#said.textContent = count ? many : text && "not there";
    this.#form.classList.toggle("missing", Boolean(text) && !count);
  }
}
