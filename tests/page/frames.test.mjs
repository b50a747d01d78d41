/** The codec of the page: static/js/frames.js. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { KIND, decodeFrame, encodeInput } from "../../static/js/frames.js";

test("input is one byte kind, four bytes process number, and the bytes", () => {
  const frame = encodeInput(KIND.pasted, 0x01020304, Uint8Array.of(9, 8));
  assert.deepEqual([...frame], [2, 1, 2, 3, 4, 9, 8]);
});

test("output is taken apart without copying", () => {
  const data = Uint8Array.of(2, 0, 0, 1, 0, 104, 105).buffer;
  const { output } = decodeFrame(data);
  assert.deepEqual([output.stream, output.process, [...output.bytes]], [2, 256, [104, 105]]);
  assert.equal(output.bytes.buffer, data);
});

test("a message of a side channel names its channel", () => {
  const { said, output } = decodeFrame(Uint8Array.of(3, 0, 0, 0, 7, 2, 104, 105, 1, 2).buffer);
  assert.equal(output, undefined);
  assert.deepEqual([said.process, said.channel, [...said.bytes]], [7, "hi", [1, 2]]);
});

test("text is an event", () => {
  assert.deepEqual(decodeFrame('{"type": "done", "id": 1}'), { event: { type: "done", id: 1 } });
});

test("what breaks the protocol is an error", () => {
  for (const data of ["", "x", "1", "null", "[]", "{}", '{"type": 1}', new ArrayBuffer(4), Uint8Array.of(3, 0, 0, 0, 1).buffer, Uint8Array.of(3, 0, 0, 0, 1, 2, 3).buffer]) {
    assert.throws(() => decodeFrame(data), TypeError);
  }
});
