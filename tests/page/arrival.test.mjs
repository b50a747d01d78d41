/** How the page gets into a session, and what it says when it does not: static/js/arrival.js with doubles for the client and the terminals. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Arrival } from "../../static/js/arrival.js";
import { coded } from "../../static/js/errors.js";

beforeEach(() => {
  globalThis.location = { search: "", hash: "", pathname: "/" };
  globalThis.history = { replaceState: () => {} };
});

/** The log says what is asked for and what is told; each request waits to be settled. */
function begin(asked = "") {
  const log = [];
  const waiting = [];
  const ask = (what) => {
    log.push(what);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const client = { session: null, processes: new Map(), rights: new Set(["run"]), hello: { identity: "anna" } };
  Object.assign(client, { list: () => ask("list"), open: () => ask("open"), attach: (session) => ask(`attach ${session}`) });
  const terminals = { start: () => ask("start"), ended: () => log.push("ended") };
  let trouble = null;
  const arrival = new Arrival(client, { take: () => asked.splice(0).join() }, terminals, (told) => {
    trouble = told;
    log.push(told?.text ?? null);
  });
  asked = [asked].filter(Boolean);
  const settle = async (how, value) => {
    waiting.shift()[how](value);
    await new Promise(setImmediate);
  };
  return {
    arrival,
    client,
    logged: () => log.splice(0),
    press: () => trouble.action(),
    answers: (reply) => settle("resolve", reply),
    refuses: (code) => settle("reject", coded(code, `it is ${code}`)),
    enters: (session) => {
      client.session = { id: session };
      return arrival.attached(session);
    },
  };
}

test("a session and its terminal are asked for together, and one refusal is told once", async () => {
  const { arrival, logged, answers, refuses } = begin();
  arrival.hello(false);
  await answers({ sessions: [] });
  assert.deepEqual(logged(), ["list", "open", "start"]);
  await refuses("limit");
  await refuses("no-session");
  assert.deepEqual(logged(), ["No session was opened: it is limit."]);
});

test("what was asked for before is told of in the same words", () => {
  const { arrival, logged } = begin("start");
  arrival.hello(false);
  assert.ok(arrival.failed({ id: "open", code: "limit", message: "it is limit" }));
  assert.ok(arrival.failed({ id: "start", code: "no-session", message: "it is no-session" }));
  assert.deepEqual(logged(), ["No session was opened: it is limit."]);
  assert.equal(arrival.failed({ id: null, code: "no-process", message: "" }), false);
});

test("trying again twice asks once", async () => {
  const { arrival, logged, press, refuses, enters } = begin("start");
  arrival.hello(false);
  assert.equal(enters("a"), null);
  arrival.failed({ id: "start", code: "limit", message: "full" });
  assert.deepEqual(logged(), ["No terminal was started: full."]);
  press();
  press();
  await arrival.newTerminal();
  assert.deepEqual(logged(), ["start"]);
  await refuses("limit");
  assert.deepEqual(logged(), ["No terminal was started: it is limit."]);
  press();
  arrival.started();
  assert.deepEqual(logged(), ["start", null]);
});

test("a cut before the first terminal came: it is asked for when the session is attached again, if it is not there", () => {
  for (const [there, asked] of [[[], ["start"]], [[[1, {}]], []]]) {
    const { arrival, client, logged, enters } = begin("start");
    arrival.hello(false);
    assert.equal(enters("a"), null);
    arrival.hello(false);
    client.processes = new Map(there);
    assert.equal(enters("a"), 0);
    assert.deepEqual(logged(), asked);
    assert.equal(arrival.started(), false);
  }
});

test("a connection that is lost is told of elsewhere, and what was asked is asked again on the next", async () => {
  const { arrival, logged, refuses } = begin();
  arrival.hello(false);
  await refuses("disconnected");
  arrival.hello(false);
  assert.deepEqual(logged(), ["list", "list"]);
});

test("who may see no session is told so once, though it was asked twice", async () => {
  const { arrival, logged, refuses } = begin();
  arrival.hello(false);
  arrival.failed({ id: "list", code: "not-allowed", message: "no" });
  await refuses("not-allowed");
  assert.deepEqual(logged(), ["list", "The sessions cannot be seen: it is not-allowed."]);
});

test("where a session has ended another is opened, not entered", async () => {
  const { arrival, client, logged, press, refuses } = begin();
  client.session = { id: "a" };
  arrival.hello(true);
  client.session = null;
  arrival.lost();
  press();
  assert.deepEqual(logged(), ["ended", "The server was restarted; its sessions have ended.", "open", "start"]);
  await refuses("limit");
  await refuses("no-session");
  press();
  assert.deepEqual(logged(), ["No session was opened: it is limit.", "open", "start"]);
});

test("a session that is gone after a cut leaves nothing to be waited for", async () => {
  const { arrival, client, logged, press, enters } = begin("start");
  arrival.hello(false);
  enters("a");
  arrival.hello(true);
  client.session = null;
  arrival.lost();
  press();
  enters("b");
  assert.deepEqual(logged().filter((what) => what === "start"), ["start"]);
});
