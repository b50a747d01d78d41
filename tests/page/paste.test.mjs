/** Text on its way in and out of a terminal: paste, clipboard (OSC 52), links. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { clipboardText } from "../../static/js/clipboard.js";
import { webAddress } from "../../static/js/links.js";
import { needsConfirmation, preparePaste } from "../../static/js/paste.js";

const base64 = (text) => Buffer.from(text).toString("base64");

test("line ends become those of the Enter key", () => {
  assert.equal(preparePaste("a\r\nb\nc\rd", false), "a\rb\rc\rd");
});

test("a program that asked for it gets marks, and nobody can close them from inside", () => {
  assert.equal(preparePaste("a\nb", true), "\x1b[200~a\rb\x1b[201~");
  for (const evil of ["\x1b[201~", "\x1b[20\x1b[201~1~", "\x9b201~", "\x1b[2\x1b[20\x1b[201~1~01~"]) {
    assert.equal(preparePaste(`x${evil}y`, true), "\x1b[200~xy\x1b[201~");
    assert.equal(preparePaste(`x${evil}y`, false), "xy");
  }
});

test("several lines are asked about unless they are bracketed", () => {
  assert.deepEqual(
    ["ls", "ls\n", "ls\r\n", "a\nb", "a\rb", "\nrm x\n"].map((text) => needsConfirmation(text, false)),
    [false, false, false, true, true, true],
  );
  assert.equal(needsConfirmation("a\nb", true), false);
});

test("a megabyte is prepared quickly and whole", () => {
  const text = "0123456789abcde\n".repeat(1 << 16);
  assert.equal(preparePaste(text, false), text.replaceAll("\n", "\r"));
});

test("OSC 52 writes text", () => {
  assert.equal(clipboardText(`c;${base64("grüße")}`), "grüße");
  assert.equal(clipboardText(`;${base64("x")}`), "x");
  assert.equal(clipboardText(`pc;${base64("x")}`), "x");
});

test("OSC 52 does nothing else", () => {
  const many = base64("x".repeat((1 << 20) + 1));
  const notText = Buffer.of(0xff).toString("base64");
  for (const data of ["c;?", "c;", "", "c", `s;${base64("x")}`, "c;***", `c;${notText}`, `c;${many}`]) {
    assert.equal(clipboardText(data), null, data.slice(0, 20));
  }
  assert.equal(clipboardText(`c;${base64("x".repeat(1 << 20))}`)?.length, 1 << 20);
});

test("links lead to the web only, and show where", () => {
  assert.equal(webAddress("https://example.org/a b"), "https://example.org/a%20b");
  assert.equal(webAddress("http://ex\u0430mple.org"), "http://xn--exmple-4nf.org/");
  for (const text of ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "//example.org", "mailto:a@b", ""]) {
    assert.equal(webAddress(text), null);
  }
});
