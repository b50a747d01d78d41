/**
 * Lets the styles that xterm.js makes pass the page's policy, `style-src 'self' 'nonce-…'`: style elements get the nonce, and style
 * attributes (24-bit colours) are set through the object model, which the policy does not restrict. Imported before xterm.
 */

const nonce = document.querySelector('meta[name="csp-nonce"]')?.getAttribute("content");

if (nonce) {
  const createElement = Document.prototype.createElement;
  /** @type {(this: Document, name: string, options?: ElementCreationOptions) => HTMLElement} */
  const withNonce = function (name, options) {
    const element = createElement.call(this, name, options);
    if (element instanceof HTMLStyleElement) {
      element.nonce = nonce;
    }
    return element;
  };
  document.createElement = /** @type {typeof document.createElement} */ (withNonce);
}

const setAttribute = Element.prototype.setAttribute;
/** @type {(this: HTMLElement, name: string, value: string) => void} */
HTMLElement.prototype.setAttribute = function (name, value) {
  if (name === "style") {
    this.style.cssText = value;
  } else {
    setAttribute.call(this, name, value);
  }
};
