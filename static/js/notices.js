/** What a terminal has to say to the person before it, not the same thing again and again. */

const NOTICE_MILLISECONDS = 3000; // a held key fails thirty times a second

export class Notices {
  #tell;
  #last = { text: "", at: 0 };

  /** @param {((text: string, action?: () => void) => void) | undefined} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /**
   * @param {string} text
   * @param {() => void} [action] what may be done about it
   */
  say(text, action) {
    const now = Date.now();
    if (text !== this.#last.text || now - this.#last.at > NOTICE_MILLISECONDS) {
      this.#last = { text, at: now };
      this.#tell?.(text, action);
    }
  }
}
