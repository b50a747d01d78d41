/** The way into a session before the page is complete: static/js/entrance.js on static/js/early.js, and who takes over. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Early } from "../../static/js/early.js";
import { chosen, Entrance } from "../../static/js/entrance.js";

const OPEN = 1;
const CLOSED = 3;
const HELLO = { type: "hello", identity: "anna", rights: ["view", "type", "run"] };
const OWN = { session: "a", name: "shell", owner: "anna" };
const OTHER = { session: "b", name: "shell", owner: "ben" };

/** An entrance on a socket that is open: what was sent, and how the server says something. */
function begin({ wanted = "", last = null } = {}) {
  const sent = [];
  const socket = { readyState: OPEN, OPEN, send: (text) => sent.push(JSON.parse(text)) };
  const early = new Early(socket);
  const entrance = new Entrance(early, "me");
  const entered = entrance.enter({ wanted, last, size: () => ({ rows: 3, cols: 4 }) });
  const says = async (...messages) => {
    for (const message of messages) {
      socket.onmessage({ data: JSON.stringify(message) });
      await new Promise(setImmediate);
    }
  };
  return { sent, socket, early, entrance, entered, says };
}

test("where there is no session a new one and its terminal are asked for in one flight", async () => {
  const { sent, early, entrance, entered, says } = begin();
  await says(HELLO);
  assert.deepEqual(sent, [{ type: "list", id: "list" }]);
  await says({ type: "sessions", id: "list", sessions: [OTHER] });
  await entered;
  const [open, start] = sent.slice(1);
  assert.deepEqual(open, { type: "open", id: "open", client: "me" });
  assert.deepEqual({ ...start, channels: [] }, { type: "start", id: "start", runner: "shell", rows: 3, cols: 4, name: "Terminal 1", channels: [] });
  early.take();
  assert.equal(entrance.take(), "start");
  assert.equal(entrance.take(), "");
});

test("a session of one's own is attached", async () => {
  const { sent, early, entrance, entered, says } = begin();
  await says(HELLO, { type: "sessions", sessions: [OWN, OTHER] });
  await entered;
  assert.deepEqual(sent[1], { type: "attach", id: "attach", session: "a", client: "me" });
  early.take();
  assert.equal(entrance.take(), "attach");
});

test("nothing is asked where there is something to tell", async () => {
  const gone = begin({ wanted: "gone" });
  await gone.says(HELLO, { type: "sessions", sessions: [OWN] });
  const watcher = begin();
  await watcher.says({ ...HELLO, rights: ["view"] }, { type: "sessions", sessions: [] });
  for (const { sent, early, entrance, entered } of [gone, watcher]) {
    await entered;
    assert.equal(sent.length, 1);
    early.take();
    assert.equal(entrance.take(), "");
  }
});

test("whoever has taken the socket asks", async () => {
  const { sent, socket, early, entrance, says } = begin();
  await says(HELLO);
  const heard = [];
  assert.equal(early.take(), socket);
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data).type);
  await null; // what it had heard is told
  await says({ type: "sessions", sessions: [] });
  assert.deepEqual(heard, ["hello", "sessions"]);
  assert.equal(sent.length, 1);
  assert.equal(entrance.take(), "");
});

test("what was asked on a socket that is gone was not asked", async () => {
  const { socket, early, entrance, entered, says } = begin();
  await says(HELLO, { type: "sessions", sessions: [] });
  await entered;
  socket.readyState = CLOSED;
  assert.equal(early.take(), null);
  assert.equal(entrance.take(), "");
});

test("the address goes before where one was, and that before the latest of one's own; who may run nothing sees those of others", () => {
  const [plain, late] = [{ session: "c", name: "plain", owner: "anna" }, { session: "d", name: "shell", owner: "anna" }];
  const sessions = [OWN, late, OTHER, plain];
  const found = (options) => chosen(sessions, { wanted: "", last: null, identity: "anna", mayRun: true, ...options })?.session;
  assert.equal(found({ wanted: "b", last: "a" }), "b");
  assert.equal(found({ wanted: "gone", last: "a" }), "a");
  assert.equal(found({ last: "b" }), "d");
  assert.equal(found({ last: "b", mayRun: false }), "b");
  assert.equal(found({ last: "c" }), "c");
  assert.equal(found({}), "d");
  assert.equal(found({ identity: "carl" }), undefined);
});
