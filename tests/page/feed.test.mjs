/** How a terminal is fed: static/js/feed.js. A terminal is a list of what it has been given; it parses when told to. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed, onlyAscii } from "../../static/js/feed.js";

const PIECE = 64 << 10;

function world() {
  const given = []; // not yet parsed
  const tasks = [];
  const log = [];
  const state = { hidden: false };
  const feed = new Feed((data, callback) => given.push({ data, callback }), {
    soon: (callback) => tasks.push(callback),
    hidden: () => state.hidden,
  });
  return {
    feed, given, tasks, log, state,
    write: (name, size = 1) => feed.write(new Uint8Array(size), () => log.push(name)),
    parse: () => given.splice(0).forEach(({ callback }) => callback()),
    run: () => tasks.splice(0).forEach((task) => task()),
  };
}

test("what comes to a terminal that has nothing to do is given to it at once", () => {
  const { write, given, parse, tasks, log } = world();
  write("a");
  assert.equal(given.length, 1);
  parse();
  write("b");
  assert.equal(given.length, 1);
  parse();
  assert.deepEqual(log, ["a", "b"]);
  assert.equal(tasks.length, 0);
});

test("the rest follows in order, in tasks of their own, no more than a piece and a frame at a time", () => {
  const { write, given, parse, tasks, run, log } = world();
  const names = Array.from({ length: 20 }, (_, number) => number);
  names.forEach((name) => write(name, 20000));
  assert.equal(given.length, 1);
  for (let rounds = 0; log.length < names.length; rounds += 1) {
    assert.ok(rounds < 10);
    parse();
    assert.equal(given.length, 0); // not from the terminal's own timer
    run();
    assert.ok(given.reduce((sum, { data }) => sum + data.length, 0) < PIECE + 20000);
  }
  assert.deepEqual(log, names);
  assert.equal(tasks.length, 0);
});

test("what comes between the end of a piece and the next task keeps the order", () => {
  const { write, given, parse, run, log } = world();
  ["a", "b"].forEach((name) => write(name));
  parse();
  write("c"); // the task for b has not begun
  assert.equal(given.length, 2);
  run(); // there is nothing left for it
  assert.equal(given.length, 2);
  parse();
  assert.deepEqual(log, ["a", "b", "c"]);
});

test("in a page that is not shown, where timers are rare, everything is given at once", () => {
  const { write, given, parse, state, log } = world();
  ["a", "b"].forEach((name) => write(name, PIECE));
  assert.equal(given.length, 1);
  state.hidden = true;
  ["c", "d"].forEach((name) => write(name, PIECE));
  assert.equal(given.length, 4);
  parse();
  assert.deepEqual(log, ["a", "b", "c", "d"]);
});

test("text may be among it, and need not be asked about", () => {
  const { feed, given, parse, tasks } = world();
  feed.write("\x1bc");
  feed.write("text");
  parse();
  tasks.shift()();
  assert.deepEqual(given.map(({ data }) => data), ["text"]);
});

test("what is only ASCII", () => {
  for (const text of ["", "plain\r\n", "\x1b[0m\x7f\0"]) {
    assert.equal(onlyAscii(text), true);
    assert.equal(onlyAscii(new TextEncoder().encode(text)), true);
  }
  for (const text of ["\x80", "é", "plain 日本", "👩‍🚀"]) {
    assert.equal(onlyAscii(text), false);
    assert.equal(onlyAscii(new TextEncoder().encode(text)), false);
  }
});
