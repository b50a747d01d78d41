/** A file on its way in parts: what is asked of the server, what is sent again, what is given up. */

import assert from "node:assert/strict";
import test from "node:test";

import { addressOf, Refusal, send, sendFolder } from "../../static/js/transfer.js";

const PART = 1 << 20;

/** A server that answers as it is told, and keeps what it was asked. */
function server(...answers) {
  const asked = [];
  const ask = async (address, { method, body }) => {
    asked.push([method, address, body ? body.size : 0]);
    const answer = answers.shift();
    if (answer instanceof Error) {
      throw answer;
    }
    const [status, said] = answer;
    return new Response(typeof said === "string" ? said : JSON.stringify(said), { status });
  };
  return { asked, ask };
}

function way(ask, more = {}) {
  const log = [];
  const stopping = new AbortController();
  const pause = async (milliseconds) => log.push(`wait ${milliseconds}`);
  return { log, stopping, session: "S", place: { process: 1 }, signal: stopping.signal, progress: (bytes) => log.push(bytes), pause, ask, ...more };
}

const DONE = [201, { path: "/x/f", name: "f", size: 0 }];

test("a name is a step of the address, whatever it holds", () => {
  assert.equal(addressOf("S", "a b/#?%/é", { process: 1 }), "s/S/files/a%20b/%23%3F%25/%C3%A9?process=1");
  assert.equal(addressOf("S", "", {}), "s/S/files?");
});

test("a small file is one request", async () => {
  const { asked, ask } = server(DONE);
  const to = way(ask);
  assert.deepEqual(await send("f", new Blob(["abc"]), to), DONE[1]);
  assert.deepEqual(asked, [["PUT", "s/S/files/f?process=1&size=3&exists=refuse", 3]]);
  assert.deepEqual(to.log, [3]);
});

test("a large one is sent in parts", async () => {
  const { asked, ask } = server([202, { part: "K", offset: PART }], [202, { part: "K", offset: 2 * PART }], DONE);
  const to = way(ask);
  await send("f", new Blob([new Uint8Array(2 * PART + 5)]), to);
  assert.deepEqual(asked.slice(1), [
    ["PUT", `s/S/files/f?part=K&offset=${PART}`, PART],
    ["PUT", `s/S/files/f?part=K&offset=${2 * PART}`, 5],
  ]);
  assert.deepEqual(to.log, [PART, 2 * PART, 2 * PART + 5]);
});

test("a part is sent again when the network fails, and it goes on where the server says", async () => {
  const { asked, ask } = server([202, { part: "K", offset: PART }], new TypeError("network"), new TypeError("network"), [416, { part: "K", offset: 2 * PART }], DONE);
  const to = way(ask);
  await send("f", new Blob([new Uint8Array(2 * PART + 5)]), to);
  assert.deepEqual(to.log, [PART, "wait 500", "wait 1000", 2 * PART, 2 * PART + 5]);
  assert.deepEqual(asked.at(-1), ["PUT", `s/S/files/f?part=K&offset=${2 * PART}`, 5]);
});

test("it is given up when the network stays away", async () => {
  const { asked, ask } = server(...Array(6).fill(new TypeError("network")));
  await assert.rejects(send("f", new Blob(["a"]), way(ask)), new Refusal(0, "the connection is lost"));
  assert.equal(asked.length, 6);
});

test("a refusal is told with its status and reason", async () => {
  const { ask } = server([409, "f is there already\n"]);
  await assert.rejects(send("f", new Blob(["a"]), way(ask)), (error) => error instanceof Refusal && error.status === 409 && error.message === "f is there already");
});

test("what is cancelled is removed at the server", async () => {
  const { asked, ask } = server([202, { part: "K", offset: PART }], new Error("aborted"), [200, {}]);
  const to = way(ask, { progress: () => to.stopping.abort() });
  await assert.rejects(send("f", new Blob([new Uint8Array(2 * PART)]), to), /aborted/);
  assert.deepEqual(asked.at(-1), ["DELETE", "s/S/files/f?part=K", 0]);
});

test("an empty folder is an address that ends with a slash", async () => {
  const { asked, ask } = server([201, {}]);
  await sendFolder("a/b", way(ask));
  assert.deepEqual(asked, [["PUT", "s/S/files/a/b/?process=1", 0]]);
});
