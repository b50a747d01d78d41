/** Lets style elements that scripts create pass the page's policy: `style-src 'self' 'nonce-…'`. Imported before xterm. */

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
