/** Output of commands becomes lines of styled text, however it is cut. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { AnsiLines } from "../../static/js/ansi.js";
import { PLAIN, restyled } from "../../static/js/sgr.js";

/** What was written, as lists of [text, flags, fg, bg] for each line. */
function lines(...pieces) {
  const ansi = new AnsiLines();
  pieces.forEach((piece) => ansi.write(piece));
  const { ended, current } = ansi.take();
  return [...ended, current].map((runs) => runs.map(({ text, style }) => [text, style.flags.join(" "), style.fg, style.bg].join("/")));
}

/** Only the text. */
function text(...pieces) {
  return lines(...pieces).map((runs) => runs.map((run) => run.split("/")[0]).join(""));
}

test("lines end at newlines", () => {
  assert.deepEqual(text("one\r\ntwo\n\nfour"), ["one", "two", "", "four"]);
});

test("styles", () => {
  assert.deepEqual(lines("\x1b[1;31mred\x1b[22m thin\x1b[m plain"), [["red/bold/1/", " thin//1/", " plain///"]]);
  assert.deepEqual(lines("\x1b[97;44mx\x1b[39;49my"), [["x//15/4", "y///"]]);
  assert.deepEqual(lines("\x1b[38;5;196;48;5;240mx"), [["x//#ff0000/#585858"]]);
  assert.deepEqual(lines("\x1b[38;2;1;2;3mx\x1b[38:2::4:5:6my\x1b[38;5;9mz"), [["x//#010203/", "y//#040506/", "z//9/"]]);
  assert.deepEqual(lines("\x1b[3;4;7;9mx\x1b[23;24;27;29my"), [["x/italic underline inverse strike//", "y///"]]);
  assert.deepEqual(lines("\x1b[4:3;58:2::1:2:3mx\x1b[4:0my"), [["x/underline//", "y///"]]);
  assert.equal(restyled(PLAIN, ">4;1"), PLAIN);
  assert.equal(restyled(PLAIN, "0"), PLAIN);
});

test("a carriage return overwrites, and a line can be erased", () => {
  assert.deepEqual(text("10%\r20%\r\x1b[Kdone\n"), ["done", ""]);
  assert.deepEqual(text("abcdef\rxy\n"), ["xycdef", ""]);
  assert.deepEqual(text("abc\b\bX\x1b[K"), ["aX"]);
  assert.deepEqual(text("abc\x1b[1Kd"), ["   d"]);
  assert.deepEqual(text("abc\x1b[2Kd"), ["   d"]);
  assert.deepEqual(text("a\tb\tc"), ["a       b       c"]);
  assert.deepEqual(text("👩🚀x\r\x1b[32mab"), ["abx"]);
});

test("what it does not know is passed over", () => {
  assert.deepEqual(text("a\x1b[2J\x1b[Hb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1bPq#0\x1b\\e\x1b(Bf\x1b7g\x00\x07h"), ["abcdefgh"]);
});

test("it does not matter where the input is cut", () => {
  const whole = "a\x1b[1;31mred\x1b[0m\r\n\x1b]0;a title\x07b\x1b]8;;x\x1b\\c\x1bP+q\x1b\\d\x1b(Be";
  for (let at = 0; at <= whole.length; at += 1) {
    assert.deepEqual(lines(whole.slice(0, at), whole.slice(at)), lines(whole), `cut at ${at}`);
  }
});

test("the streams do not mix their sequences or styles", () => {
  const ansi = new AnsiLines();
  ansi.write("\x1b[31mred\x1b[");
  ansi.write("error", true);
  ansi.write("32mgreen");
  assert.deepEqual(
    ansi.take().current.map(({ text: said, style, stderr }) => [said, style.fg, stderr]),
    [["red", "1", false], ["error", "", true], ["green", "2", false]],
  );
});

test("a control string without end is not kept, and what follows its end is shown", () => {
  const ansi = new AnsiLines();
  ansi.write("before\x1b]0;");
  for (let count = 0; count < 100; count += 1) {
    ansi.write("x".repeat(10000));
  }
  ansi.write("\x07after");
  assert.equal(ansi.take().current.map((run) => run.text).join(""), "beforeafter");
});

test("a line without end is broken", () => {
  const ansi = new AnsiLines();
  for (let count = 0; count < 100; count += 1) {
    ansi.write("y".repeat(1000));
  }
  const { ended, current } = ansi.take();
  assert.equal([...ended, current].flat().map((run) => run.text).join("").length, 100_000);
  assert.ok(ended.length >= 6);
});
