/** Questions and texts over the page, as modal dialogs that the keyboard can reach and leave. */

/**
 * @param {string} tag
 * @param {{[name: string]: any}} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) {
      /** @type {any} */ (made)[name] = value;
    } else {
      made.setAttribute(name, value);
    }
  }
  made.append(...children);
  return made;
}

/**
 * Ask; resolved with whether it was confirmed, and with the text of the field if there is one.
 *
 * @param {{title: string, body?: (Node | string)[], confirm?: string, cancel?: string, field?: string}} question
 *   field: what a text field begins with
 * @returns {Promise<{confirmed: boolean, text: string}>}
 */
export function ask({ title, body = [], confirm = "OK", cancel = "Cancel", field }) {
  const heading = element("h2", { id: "dialog-title" }, title);
  const input = /** @type {HTMLInputElement} */ (element("input", { type: "text", value: field ?? "", "aria-labelledby": "dialog-title" }));
  const actions = element("div", { className: "actions" });
  const texts = body.map((part) => (typeof part === "string" ? element("p", {}, part) : part));
  const form = element("form", { method: "dialog" }, heading, ...texts, ...(field === undefined ? [] : [input]), actions);
  if (cancel) {
    actions.append(element("button", { type: "submit", value: "", formNoValidate: true }, cancel));
  }
  const yes = element("button", { type: "submit", value: "yes", className: "primary" }, confirm);
  actions.append(yes);
  const dialog = /** @type {HTMLDialogElement} */ (element("dialog", { "aria-labelledby": "dialog-title" }, form));
  document.body.append(dialog);
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === input) {
      event.preventDefault(); // the first button of a form would be pressed, and that is Cancel
      dialog.close("yes");
    }
  });
  dialog.showModal();
  (field === undefined ? yes : input).focus();
  input.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus();
      resolve({ confirmed: dialog.returnValue === "yes", text: input.value });
    });
  });
}

/**
 * Show a text that goes away by itself, or by its action.
 *
 * @param {string} text
 * @param {() => void} [action] the button "Copy" or the like does it
 * @param {string} [label]
 */
export function notice(text, action, label = "Copy") {
  const shown = element("div", { className: "notice" }, element("span", {}, text));
  if (action) {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      shown.remove();
      action();
    });
    shown.append(button);
  }
  const notices = document.getElementById("notices");
  [...(notices?.children ?? [])].find((other) => other.firstElementChild?.textContent === text)?.remove(); // once is enough
  notices?.append(shown);
  while (notices && notices.childElementCount > 4) {
    notices.firstElementChild?.remove();
  }
  setTimeout(() => shown.remove(), action ? 15000 : 6000);
}

/** @param {Error} error what did not go well, and why */
export function complain(error) {
  const cut = /** @type {any} */ (error).code === "disconnected";
  notice(cut ? "Not connected: that was not done. Try again when the connection is back." : error.message);
}
