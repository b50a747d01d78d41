/** The client against the transcripts of docs/protocol.rst: it sends the C lines, when the U lines happen. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Client } from "../../static/js/client.js";
import { KIND } from "../../static/js/frames.js";

const ANY = "…";

function transcripts() {
  const page = readFileSync(new URL("../../docs/protocol.rst", import.meta.url), "utf8");
  return [...page.matchAll(/^ {4}# transcript: (\S+)\n((?: {4}.*\n)+)/gm)].map(([, name, lines]) => ({
    name,
    lines: lines.split("\n").map((line) => line.trim()).filter(Boolean),
  }));
}

/** Like deepEqual, but "…" stands for any value. */
function matches(actual, expected) {
  if (expected === ANY) {
    return;
  }
  if (typeof expected === "object" && expected !== null) {
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
    Object.keys(expected).forEach((key) => matches(actual[key], expected[key]));
  } else {
    assert.equal(actual, expected);
  }
}

function parse(frame) {
  const [, mark, rest] = /^([>=]) (.*)$/.exec(frame);
  if (mark === ">") {
    return JSON.parse(rest);
  }
  const [, first, process, text] = /^(\d+) (\d+) (.*)$/.exec(rest);
  const payload = new TextEncoder().encode(JSON.parse(text));
  return Uint8Array.of(Number(first), 0, 0, 0, Number(process), ...payload);
}

function replay(lines) {
  const sent = [];
  const send = (frame) => sent.push(frame);
  let client = new Client({});
  client.connected(send);
  let user = false; // without a U line before, C is sent raw
  const actions = {
    open: (options) => void client.open(JSON.parse(options)).catch(() => {}),
    start: (options) => void client.start(JSON.parse(options)).catch(() => {}),
    type: (process, text) => client.input(Number(process), KIND.typed, new TextEncoder().encode(JSON.parse(text))),
    paste: (process, text) => client.input(Number(process), KIND.pasted, new TextEncoder().encode(JSON.parse(text))),
    drawn: (process, offset) => client.acknowledge(Number(process), Number(offset)),
    seen: (process, channel) => client.sides.seen(Number(process), channel),
    tell: (process, rest) => client.sides.tell(Number(process), rest.split(" ")[0], JSON.parse(rest.replace(/^\S+ /, ""))),
    cut: () => client.disconnected(),
    reconnect: () => client.connected(send),
  };
  for (const line of lines) {
    const [, who, what] = /^([SCUP]) (.*)$/.exec(line);
    if (who === "S") {
      const frame = parse(what);
      client.receive(frame instanceof Uint8Array ? frame.buffer : JSON.stringify(frame));
    } else if (who === "U") {
      user = true;
      const [, action, process, rest] = /^(\w+)(?: (\d+))? ?(.*)$/.exec(what);
      actions[action](...(process ? [process, rest] : [rest]));
    } else if (who === "C" && user) {
      const frame = sent.shift();
      assert.ok(frame, `nothing was sent, not: ${what}`);
      const expected = parse(what);
      if (expected instanceof Uint8Array) {
        assert.deepEqual([...frame], [...expected]);
      } else {
        matches(JSON.parse(frame), expected);
      }
    } else if (who === "C") {
      const { type, id, ...members } = parse(what);
      client.request(type, members).catch(() => {});
      matches(JSON.parse(sent.shift()), { type, id: ANY, ...members });
    }
  }
  assert.deepEqual(sent, []);
}

test("there are transcripts", () => {
  assert.ok(transcripts().length >= 3);
});

for (const { name, lines } of transcripts()) {
  test(`transcript: ${name}`, () => replay(lines));
}
