/** The client without a server: static/js/client.js. Everything that it sends and tells goes into one list. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../static/js/client.js";
import { KIND } from "../../static/js/frames.js";

const LIMITS = { window: 1000, input: 100000, frame: 1 << 20, scrollback: 1 << 20, linger: 60, processes: 10 };
const HELLO = { type: "hello", instance: "a", rights: ["type", "view", "run"], limits: LIMITS };

const bytes = (text) => new TextEncoder().encode(text);
const text = (data) => new TextDecoder().decode(data);
const record = (process, more = {}) => ({
  process, name: "shell", runner: "shell", line: "", pty: true, rows: 24, cols: 80, state: "running",
  exit_code: null, signal: null, survivors: [], started: 0, duration: null, offset: 0, end: 0, taken: 0, ...more,
});
const attached = (id, processes, session = "s") => ({
  type: "attached", id, session, name: "n", owner: "o", linger: 60, processes,
});

function listening(log) {
  const names = [
    "hello", "attached", "started", "gap", "exited", "resized", "renamed", "removed", "presence", "closed", "failed", "lost",
    "kept", "other",
  ];
  const listener = Object.fromEntries(names.map((name) => [name, (first) => log.push([name, first?.type ?? first])]));
  listener.output = (process, stream, data, end) => log.push(["output", process, text(data), end]);
  return listener;
}

function world() {
  const log = [];
  const client = new Client(listening(log), { name: "me" });
  const send = (frame) => log.push(typeof frame === "string" ? JSON.parse(frame) : [frame[0], frame[4], text(frame.slice(5))]);
  const tell = (event) => client.receive(JSON.stringify(event));
  const output = (process, data) => client.receive(Uint8Array.of(1, 0, 0, 0, process, ...bytes(data)).buffer);
  const connect = () => {
    client.connected(send);
    tell(HELLO);
  };
  const attach = (...processes) => {
    connect();
    client.attach("s");
    tell(attached(1, processes));
    log.length = 0;
  };
  return { log, client, tell, output, connect, attach };
}

test("what is asked before hello waits for it; without a connection it fails at once", async () => {
  const { client, log, connect, tell } = world();
  await assert.rejects(client.list(), { code: "disconnected" });
  client.connected(() => assert.fail("nothing is sent before hello"));
  const asked = client.open({ name: "x" });
  client.disconnected();
  await assert.rejects(asked, { code: "disconnected" });
  connect();
  const listed = client.list();
  assert.deepEqual(log, [["hello", "hello"], { type: "list", id: 1 }]);
  tell({ type: "sessions", id: 1, sessions: [] });
  assert.deepEqual((await listed).sessions, []);
});

test("an error goes to who asked, otherwise to the listener", async () => {
  const { client, log, attach, tell } = world();
  attach(record(1));
  const asked = client.request("stop", { process: 2 });
  tell({ type: "error", id: 2, code: "no-process", message: "there is none" });
  await assert.rejects(asked, { code: "no-process", message: "there is none" });
  client.resize(1, 30, 90);
  tell({ type: "error", id: null, code: "not-allowed", message: "no" });
  assert.deepEqual(log.slice(1), [{ type: "resize", process: 1, rows: 30, cols: 90 }, ["failed", "error"]]);
  assert.deepEqual([client.processes.get(1).rows, client.processes.get(1).cols], [30, 90]);
});

test("after a cut it attaches with its offsets, then asks what waited", () => {
  const { client, log, attach, tell, output } = world();
  attach(record(1));
  output(1, "abc");
  client.disconnected();
  client.connected((frame) => log.push(JSON.parse(frame)));
  client.list().catch(() => {});
  tell({ ...HELLO, instance: "b" });
  tell(attached(2, [record(1, { offset: 3, end: 5 })]));
  output(1, "de");
  assert.deepEqual(log, [
    ["output", 1, "abc", 3],
    ["hello", "hello"],
    { type: "attach", id: 2, session: "s", offsets: { 1: 3 }, client: "me" },
    ["attached", "attached"],
    { type: "list", id: 3 },
    ["output", 1, "de", 5],
  ]);
});

test("a session that is gone is lost, and others can be opened", () => {
  const { client, log, attach, tell, connect } = world();
  attach(record(1));
  client.disconnected();
  connect();
  client.open().catch(() => {});
  tell({ type: "error", id: 2, code: "no-session", message: "gone" });
  assert.deepEqual(log.slice(2), [["lost", "no-session"], { type: "open", id: 3, client: "me" }]);
  assert.equal(client.session, null);
  assert.equal(client.processes.size, 0);
});

test("what exited or was removed while we were away is told, the end after the output", () => {
  const { client, log, attach, tell, output, connect } = world();
  attach(record(1), record(2));
  client.disconnected();
  connect();
  log.length = 0;
  tell(attached(2, [record(1, { state: "exited", exit_code: 3, offset: 0, end: 4 })]));
  output(1, "ab");
  output(1, "cd");
  assert.deepEqual(log, [
    ["removed", 2], ["attached", "attached"], ["output", 1, "ab", 2], ["output", 1, "cd", 4], ["exited", "exited"],
  ]);
  assert.equal(client.processes.get(1).exit_code, 3);
});

test("a gap moves the offset", () => {
  const { log, attach, tell, output } = world();
  attach(record(1, { end: 100 }));
  tell({ type: "gap", process: 1, lost: 50, offset: 50, restore: "" });
  output(1, "x");
  assert.deepEqual(log.at(-1), ["output", 1, "x", 51]);
});

test("acknowledgements only grow, and are not sent without a connection", () => {
  const { client, log, attach } = world();
  attach(record(1));
  client.acknowledge(1, 5);
  client.acknowledge(1, 5);
  client.acknowledge(1, 4);
  client.disconnected();
  client.acknowledge(1, 9);
  assert.deepEqual(log, [{ type: "ack", process: 1, offset: 5 }]);
});

test("typed without a connection: a little is kept, told, and sent; more is refused; answers are dropped", () => {
  const { client, log, attach, tell, connect } = world();
  attach(record(1));
  client.disconnected();
  client.input(1, KIND.typed, bytes("ls"));
  client.input(1, KIND.answer, bytes("\x1b[0n"));
  assert.throws(() => client.input(1, KIND.typed, new Uint8Array(5000)), { code: "disconnected" });
  connect();
  tell(attached(2, [record(1)]));
  assert.deepEqual(log.filter((entry) => entry[0] === "kept" || entry[0] === 1 || entry[0] === 3), [["kept", 1], [1, 1, "ls"]]);
});

test("input is cut into frames and never exceeds the window", () => {
  const { client, log, attach, tell } = world();
  attach(record(1));
  client.input(1, KIND.pasted, new Uint8Array(250000));
  const sizes = () => log.map(([, , data]) => data.length);
  assert.deepEqual(sizes(), [32768, 32768, 32768, 1696]);
  tell({ type: "taken", process: 1, count: 50000 });
  assert.deepEqual(sizes().slice(4), [32768, 17232]);
  tell({ type: "pong", id: null, taken: { 1: 150000 } });
  assert.equal(sizes().reduce((sum, size) => sum + size), 250000);
});

test("too much is refused, and so is input for what cannot read it", () => {
  const { client, attach, tell } = world();
  attach(record(1));
  assert.throws(() => client.input(1, KIND.pasted, new Uint8Array((64 << 20) + 1)), { code: "input-full" });
  assert.throws(() => client.input(7, KIND.typed, bytes("x")), { code: "no-process" });
  tell({ type: "exited", process: 1, exit_code: 0, signal: null, survivors: [], duration: 1 });
  assert.throws(() => client.input(1, KIND.typed, bytes("x")), { code: "wrong-state" });
});

test("the end of the input is asked for after the input", async () => {
  const { client, log, attach, tell } = world();
  attach(record(1));
  client.input(1, KIND.pasted, new Uint8Array(100001));
  const ended = client.request("eof", { process: 1 });
  assert.ok(log.every((entry) => entry.type !== "eof"));
  tell({ type: "taken", process: 1, count: 100000 });
  assert.deepEqual(log.at(-1), { type: "eof", id: 2, process: 1 });
  tell({ type: "done", id: 2 });
  await ended;
});

test("after input-full it attaches again when there is room, and nothing is lost or drawn twice", () => {
  const { client, log, attach, tell, output } = world();
  attach(record(1));
  client.input(1, KIND.typed, bytes("ab"));
  tell({ type: "error", id: null, code: "input-full", message: "full" });
  client.input(1, KIND.typed, bytes("c"));
  tell({ type: "taken", process: 1, count: 1 });
  output(1, "xy"); // was under way
  tell(attached(2, [record(1, { taken: 1, offset: 0, end: 3 })]));
  output(1, "xyz");
  assert.deepEqual(log, [
    [1, 1, "ab"],
    ["failed", "error"],
    { type: "attach", id: 2, session: "s", offsets: { 1: 0 }, client: "me" },
    ["output", 1, "xy", 2],
    ["attached", "attached"],
    [1, 1, "b"],
    [1, 1, "c"],
    ["output", 1, "z", 3],
  ]);
});

test("detach and closed forget the session", async () => {
  const { client, log, attach, tell } = world();
  attach(record(1));
  const left = client.request("detach");
  tell({ type: "done", id: 2 });
  await left;
  assert.equal(client.session, null);
  tell({ type: "closed", reason: "ended" });
  assert.deepEqual(log.slice(1), [["closed", "ended"]]);
});

test("unknown events are passed on; one's own rights follow presence", () => {
  const { client, log, attach, tell } = world();
  attach(record(1));
  tell({ type: "constructor" });
  tell({ type: "presence", clients: [{ identity: "o", rights: ["view"], you: true }] });
  assert.deepEqual(log, [["other", "constructor"], ["presence", "presence"]]);
  assert.deepEqual([...client.rights], ["view"]);
});
