/** The socket that is opened before the page is complete: static/js/early.js, and static/js/socket.js taking it over. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Early, socketAddress } from "../../static/js/early.js";
import { Socket } from "../../static/js/socket.js";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

/** A Socket with an early one in the given state; the log says what reaches the client, and what is connected anew. */
function start(early) {
  const log = [];
  const client = { connected: () => log.push("connected"), disconnected: () => log.push("disconnected"), receive: (data) => log.push(data) };
  const nothing = { addEventListener: () => {} };
  const world = {
    connect: () => {
      log.push("connect");
      return { OPEN };
    },
    fetch: async () => ({ status: 200 }),
    now: () => 0,
    setTimeout: () => 0,
    clearTimeout: () => {},
    random: () => 1,
    online: () => true,
    window: nothing,
    document: { ...nothing, visibilityState: "visible", baseURI: "http://localhost/" },
  };
  const socket = new Socket(client, { early, world });
  socket.start();
  return { log, socket };
}

test("the socket is beside the page, whatever its address ends with", () => {
  assert.equal(socketAddress("https://example.org/tools/shell/?a=b#s=c").href, "wss://example.org/tools/shell/ws");
  assert.equal(socketAddress("http://localhost:8080/").href, "ws://localhost:8080/ws");
});

test("what it has heard is told when it is taken, in order", async () => {
  const early = { readyState: CONNECTING, OPEN };
  const waiting = new Early(early);
  assert.equal(early.binaryType, "arraybuffer");
  early.readyState = OPEN;
  early.onmessage({ data: "hello" });
  early.onmessage({ data: "more" });
  const { log } = start(waiting);
  assert.deepEqual(log, []);
  await null;
  early.onmessage({ data: "later" });
  assert.deepEqual(log, ["connected", "hello", "more", "later"]);
});

test("one that is still connecting opens in the hands of who took it", async () => {
  const early = { readyState: CONNECTING, OPEN };
  const { log } = start(new Early(early));
  await null;
  assert.deepEqual(log, []);
  early.readyState = OPEN;
  early.onopen();
  early.onmessage({ data: "hello" });
  assert.deepEqual(log, ["connected", "hello"]);
});

test("one that was closed is not taken", () => {
  const early = new Early({ readyState: CLOSED, OPEN });
  assert.deepEqual(start(early).log, ["connect"]);
});

test("it is taken once: what follows is connected anew", async () => {
  const early = { readyState: OPEN, OPEN };
  const { log, socket } = start(new Early(early));
  await null;
  early.onclose({ code: 1006, reason: "" });
  socket.retry();
  assert.deepEqual(log, ["connected", "disconnected", "connect"]);
});
