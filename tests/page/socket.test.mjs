/** The life of the WebSocket: static/js/socket.js with a fake clock, network and server. One list holds what happens. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../static/js/client.js";
import { Socket } from "../../static/js/socket.js";

const HELLO = { type: "hello", instance: "a", rights: [], limits: {} };
const flush = () => new Promise((resolve) => setImmediate(resolve));

class World {
  log = [];
  time = 1_000_000;
  timers = new Map();
  sockets = [];
  answers = true; // the server answers pings
  whoami = 200;
  isOnline = true;
  listeners = {};
  window = { addEventListener: (type, listener) => (this.listeners[type] = listener) };
  document = {
    baseURI: "https://example.org/shell/?x#y",
    visibilityState: "visible",
    addEventListener: (type, listener) => (this.listeners[type] = listener),
  };
  online = () => this.isOnline;
  random = () => 1;
  now = () => this.time;
  clearTimeout = (timer) => this.timers.delete(timer);

  setTimeout = (callback, milliseconds) => {
    const timer = {};
    this.timers.set(timer, { callback, at: this.time + milliseconds });
    return timer;
  };

  fetch = async (url) => {
    this.log.push(`fetch ${url.href}`);
    if (this.whoami === 0) {
      throw new TypeError("unreachable");
    }
    return { status: this.whoami };
  };

  connect = (url, protocol) => {
    this.log.push(`connect ${url.href} ${protocol}`);
    const socket = {
      OPEN: 1,
      readyState: 0,
      send: (frame) => {
        const { type, id } = JSON.parse(frame);
        this.log.push(type);
        if (this.answers) {
          socket.onmessage({ data: JSON.stringify({ type: "pong", id, taken: {} }) });
        }
      },
      close: (code) => this.log.push(`close ${code}`),
    };
    this.sockets.push(socket);
    return socket;
  };

  /** The newest connection is accepted. */
  accept() {
    const socket = this.sockets.at(-1);
    socket.readyState = 1;
    socket.onopen();
    socket.onmessage({ data: JSON.stringify(HELLO) });
  }

  async close(code = 1006, reason = "") {
    this.sockets.at(-1).onclose({ code, reason });
    await flush();
  }

  /** Time passes, in steps, and the timers come in time. */
  async pass(seconds) {
    const end = this.time + seconds * 1000;
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) {
        break;
      }
      this.timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at); // late, after a sleep
      due[1].callback();
      await flush();
    }
    this.time = end;
  }

  /** The machine sleeps: when it wakes, what was due is late. */
  async sleep(seconds) {
    this.time += seconds * 1000;
    await this.pass(0);
  }
}

function start() {
  const world = new World();
  const client = new Client({});
  const socket = new Socket(client, { world, onstate: ({ state }) => world.log.push(state) });
  socket.start();
  return { world, socket, client };
}

function connected() {
  const all = start();
  all.world.accept();
  all.world.log.length = 0;
  return all;
}

test("it connects to ws beside the page", () => {
  const { world } = start();
  world.accept();
  assert.deepEqual(world.log, ["connecting", "connect wss://example.org/shell/ws webshell.v1", "connected"]);
});

test("it pings every 15 seconds", async () => {
  const { world } = connected();
  await world.pass(46);
  assert.deepEqual(world.log, ["ping", "ping", "ping"]);
});

test("a silent connection is given up after 10 seconds and made anew", async () => {
  const { world } = connected();
  world.answers = false;
  await world.pass(24);
  assert.deepEqual(world.log, ["ping"]);
  await world.pass(1.2);
  assert.deepEqual(world.log.slice(1), ["close 4000", "waiting", "fetch https://example.org/shell/whoami", "waiting"]);
});

test("a tab that slept asks again before it judges", async () => {
  const { world } = connected();
  world.answers = false;
  await world.pass(15);
  await world.sleep(3600);
  assert.deepEqual(world.log, ["ping", "ping"]);
  world.answers = true;
  await world.sleep(3600);
  await world.pass(10);
  assert.deepEqual(world.log, ["ping", "ping", "ping"]);
});

test("a throttled tab, with one timer a minute, never kills a live connection", async () => {
  const { world } = connected();
  world.answers = false;
  for (let minute = 0; minute < 30; minute += 1) {
    await world.sleep(60);
  }
  assert.ok(world.log.every((entry) => entry === "ping"));
});

test("attempts are spaced 0.5 s doubling to 15 s", async () => {
  const { world, socket } = start();
  const waits = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    await world.close();
    waits.push((socket.status.retryAt - world.time) / 1000);
    await world.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [0.5, 1, 2, 4, 8, 15, 15, 15]);
});

test("a server that accepts and drops at once is not hammered", async () => {
  const { world, socket } = start();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    world.sockets.at(-1).readyState = 1;
    world.sockets.at(-1).onopen();
    await world.close();
    await world.pass((socket.status.retryAt - world.time) / 1000);
  }
  assert.ok(world.time - 1_000_000 >= 15000);
});

test("what is wrong is found out by whoami", async () => {
  for (const [whoami, state, detail] of [
    [401, "login", "log in again"],
    [0, "waiting", "the server cannot be reached"],
    [503, "waiting", "the server answers 503"],
    [200, "waiting", "the connection was closed (1006)"],
  ]) {
    const { world, socket } = connected();
    world.whoami = whoami;
    await world.close();
    assert.deepEqual([socket.status.state, socket.status.detail], [state, detail]);
    await world.pass(1);
    assert.equal(world.sockets.length, state === "login" ? 1 : 2);
  }
});

test("network or tab coming back means an attempt at once", async () => {
  for (const type of ["online", "visibilitychange"]) {
    const { world, socket } = connected();
    world.isOnline = false;
    await world.close();
    assert.equal(socket.status.state, "offline");
    world.listeners[type]();
    assert.equal(socket.status.state, "connecting");
  }
});

test("a handshake without answer is given up", async () => {
  const { world, socket } = start();
  await world.pass(15);
  assert.equal(socket.status.state, "waiting");
});

test("stop is for good, until start", async () => {
  const { world, socket } = connected();
  socket.stop();
  await world.pass(100);
  world.listeners.online();
  socket.retry();
  assert.deepEqual(world.log, ["close 1000", "stopped"]);
  socket.start();
  assert.equal(socket.status.state, "connecting");
});

test("requests under way when the connection goes are told so", async () => {
  const { world, client } = connected();
  world.answers = false;
  const rejected = assert.rejects(client.list(), { code: "disconnected" });
  await world.close();
  await rejected;
});

test("a network that goes is told at once; a connection that needs none stays", async () => {
  const { world, socket } = connected();
  world.log.length = 0;
  world.isOnline = false;
  world.listeners.offline();
  assert.deepEqual(world.log, ["ping"]);
  assert.equal(socket.status.state, "connected");
  world.isOnline = true;
  await world.close();
  assert.equal(socket.status.state, "waiting");
  world.isOnline = false;
  world.listeners.offline();
  assert.equal(socket.status.state, "offline");
  assert.equal(world.log.at(-1), "offline");
});
