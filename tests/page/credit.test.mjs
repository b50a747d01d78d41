/** When what has been drawn is told: static/js/credit.js. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Credit } from "../../static/js/credit.js";

const WINDOW = 256 << 10;
const STEP = 96 << 10;

function world(record = { offset: 0, end: 0 }, window = WINDOW) {
  const told = [];
  let timers = [];
  const clock = {
    setTimeout: (callback) => {
      const timer = { callback };
      timers.push(timer);
      return timer;
    },
    clearTimeout: (timer) => (timers = timers.filter((other) => other !== timer)),
  };
  const credit = new Credit((offset) => told.push(offset), record, { window: () => window, world: clock });
  const later = () => timers.splice(0).forEach(({ callback }) => callback());
  return { credit, told, later, timers: () => timers.length };
}

test("a flood is told in steps, its rest a little later", () => {
  const { credit, told, later, timers } = world();
  for (let offset = 4096; offset <= STEP + 4096; offset += 4096) {
    credit.advance(offset);
  }
  assert.deepEqual(told, [STEP]);
  assert.equal(timers(), 1);
  later();
  assert.deepEqual(told, [STEP, STEP + 4096]);
  later();
  assert.equal(told.length, 2);
});

test("many keys make one message", () => {
  const { credit, told, later, timers } = world();
  for (let offset = 1; offset <= 20; offset += 1) {
    credit.advance(offset);
  }
  assert.equal(timers(), 1);
  later();
  assert.deepEqual(told, [20]);
});

for (const window of [1, 100, 4096, WINDOW, 4 * WINDOW]) {
  test(`with a window of ${window} bytes the server never waits for the clock`, () => {
    const { credit, told } = world({ offset: 0, end: 0 }, window);
    for (let offset = 0; offset < 10 * window; ) {
      offset = (told.at(-1) ?? 0) + window; // the server sends all that it may; no timer fires
      for (let drawn = credit.drawn + 1; drawn < offset; drawn += Math.ceil(window / 7)) {
        credit.advance(drawn);
      }
      credit.advance(offset);
      assert.ok(offset - told.at(-1) <= Math.max(window / 2, 1), `${offset - told.at(-1)} bytes are not told`);
    }
  });
}

test("that what was old is drawn is told at once: from then on the terminal may answer", () => {
  const { credit, told, timers } = world({ offset: 100, end: 300 });
  assert.ok(credit.isHistory);
  credit.advance(200);
  assert.deepEqual(told, []);
  credit.advance(300);
  assert.ok(!credit.isHistory);
  assert.deepEqual(told, [300]);
  assert.equal(timers(), 0);
});

test("attached again: counted anew from where the server goes on", () => {
  const { credit, told, later } = world();
  credit.advance(STEP);
  credit.attached({ offset: STEP + 500, end: STEP + 900 }, true); // 500 bytes have come and are still to be drawn
  assert.ok(credit.isHistory);
  credit.advance(STEP + 500);
  credit.advance(STEP + 900);
  assert.deepEqual(told, [STEP, STEP + 900]);
  credit.attached({ offset: 10, end: 10 }, false);
  assert.equal(credit.drawn, 10);
  credit.advance(15);
  later();
  assert.equal(told.at(-1), 15);
});

test("a terminal that is gone tells nothing", () => {
  const { credit, told, later } = world();
  credit.advance(5);
  credit.close();
  later();
  assert.deepEqual(told, []);
});
