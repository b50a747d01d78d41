/** A server that loses its connections at random points receives every byte of input once, in order. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../static/js/client.js";
import { KIND } from "../../static/js/frames.js";

const INPUT_LIMIT = 5000;

/** mulberry32: the same run for the same seed. */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

/** The input side of a server: what was accepted, and what of it the process has taken. */
class Server {
  received = [];
  taken = 0;
  wire = []; // sent by the client, not yet arrived

  constructor(client, random) {
    this.client = client;
    this.random = random;
  }

  connect() {
    this.wire = [];
    this.client.connected((frame) => this.wire.push(frame));
    this.tell({ type: "hello", instance: "a", rights: ["type"], limits: { input: INPUT_LIMIT, frame: 4000 } });
  }

  cut() {
    this.deliver(this.random(this.wire.length + 1));
    this.wire = []; // the rest never arrives
    this.client.disconnected();
  }

  tell(event) {
    this.client.receive(JSON.stringify(event));
  }

  deliver(count) {
    for (const frame of this.wire.splice(0, count)) {
      if (typeof frame === "string") {
        this.asked(JSON.parse(frame));
      } else {
        this.received.push(...frame.subarray(5));
        assert.ok(this.received.length - this.taken <= INPUT_LIMIT, "the window was exceeded");
      }
    }
  }

  asked({ type, id, session = "s" }) {
    if (type === "ping") {
      this.tell({ type: "pong", id, taken: { 1: this.taken } });
    } else {
      const record = { process: 1, state: "running", offset: 0, end: 0, taken: this.received.length };
      this.tell({ type: "attached", id, session, name: "", owner: "", linger: 0, processes: [record] });
    }
  }

  take() {
    this.taken += this.random(this.received.length - this.taken + 1);
    if (this.random(2)) {
      this.tell({ type: "taken", process: 1, count: this.taken });
    }
  }
}

for (let seed = 1; seed <= 200; seed += 1) {
  test(`seed ${seed}`, () => {
    const random = generator(seed);
    const client = new Client({});
    const server = new Server(client, random);
    const typed = [];
    server.connect();
    client.open();
    server.deliver(1);
    let up = true;
    const steps = [
      () => {
        const pasted = random(4) === 0;
        const bytes = Uint8Array.from({ length: 1 + random(pasted ? 9000 : 20) }, () => random(256));
        client.input(1, pasted ? KIND.pasted : KIND.typed, bytes);
        typed.push(...bytes);
      },
      () => up && server.deliver(random(5)),
      () => up && server.take(),
      () => up && client.ping().catch(() => {}),
      () => {
        if (random(3) === 0) {
          up ? server.cut() : server.connect();
          up = !up;
        }
      },
    ];
    for (let step = 0; step < 300; step += 1) {
      steps[random(steps.length)]();
    }
    if (!up) {
      server.connect();
    }
    for (let round = 0; server.received.length < typed.length && round < 1000; round += 1) {
      client.ping().catch(() => {});
      server.deliver(Infinity);
      server.taken = server.received.length;
    }
    assert.deepEqual(server.received, typed);
  });
}
