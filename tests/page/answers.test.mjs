/** What a terminal emulator says by itself: static/js/answers.js. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Answers, hasAnswersShape } from "../../static/js/answers.js";

const ANSWERS = {
  "primary attributes": "\x1b[?1;2c",
  "secondary attributes": "\x1b[>0;276;0c",
  "tertiary attributes": "\x1bP!|00000000\x1b\\",
  "status": "\x1b[0n",
  "cursor": "\x1b[5;1R",
  "cursor, DEC": "\x1b[?5;1R",
  "mode": "\x1b[?2004;2$y",
  "ANSI mode": "\x1b[4;2$y",
  "setting": "\x1bP1$r0m\x1b\\",
  "version": "\x1bP>|xterm.js(6.0.0)\x1b\\",
  "colour": "\x1b]11;rgb:1010/1414/1818\x1b\\",
  "palette colour, BEL": "\x1b]4;1;rgb:0000/0000/0000\x07",
  "focus": "\x1b[I",
  "window": "\x1b[8;24;80t",
  "two at once": "\x1b[0n\x1b[5;1R",
};
const NO_ANSWERS = ["", "a", "\r", "\x1b", "\x1ba", "\x1bOA", "\x1b[0nls\r", "\x1b[3~", "\x1b[<0;1;1M", "\x1b[M !!", "\x1b]11;x"];

/** A parser that remembers the handlers, as xterm.js has one. */
function parser() {
  const handlers = [];
  const register = (type) => (id, handler) => handlers.push({ type, id, handler });
  return {
    handlers,
    registerCsiHandler: register("csi"),
    registerDcsHandler: register("dcs"),
    registerEscHandler: register("esc"),
    registerOscHandler: register("osc"),
  };
}

for (const [name, data] of Object.entries(ANSWERS)) {
  test(`an answer: ${name}`, () => assert.ok(hasAnswersShape(data)));
}

test("what has not the shape of an answer", () => {
  NO_ANSWERS.forEach((data) => assert.ok(!hasAnswersShape(data), JSON.stringify(data)));
});

test("only what comes while the question is parsed is an answer", async () => {
  const { handlers, ...registers } = parser();
  const answers = new Answers(registers);
  assert.ok(!answers.includes("\x1b[5;1R"), "Shift+F3 is the same as a cursor report");
  for (const { handler } of handlers) {
    assert.equal(handler([]), false, "xterm's own handler must follow");
    assert.ok(answers.includes("\x1b[5;1R"));
    assert.ok(!answers.includes("ls"));
    await null;
    assert.ok(!answers.includes("\x1b[5;1R"));
  }
});

test("every question that xterm answers is known", () => {
  const { handlers, ...registers } = parser();
  new Answers(registers);
  const csi = handlers.filter(({ type }) => type === "csi");
  const has = (prefix, intermediates, final) =>
    csi.some(({ id }) => (id.prefix ?? "") === prefix && (id.intermediates ?? "") === intermediates && id.final === final);
  for (const [prefix, intermediates, final] of [
    ["", "", "c"], [">", "", "c"], ["=", "", "c"], ["", "", "n"], ["?", "", "n"], ["", "$", "p"], ["?", "$", "p"], [">", "", "q"],
  ]) {
    assert.ok(has(prefix, intermediates, final), `CSI ${prefix} ${intermediates} ${final}`);
  }
  const osc = handlers.filter(({ type }) => type === "osc").map(({ id }) => id);
  [4, 10, 11, 12].forEach((id) => assert.ok(osc.includes(id)));
});
