/** What the page's address names. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf, named } from "../../static/js/address.js";

test("a session, and perhaps a process of it", () => {
  assert.deepEqual(named({ search: "", hash: "" }), { session: "", process: 0 });
  assert.deepEqual(named({ search: "", hash: "#s=a%2Fb" }), { session: "a/b", process: 0 });
  assert.deepEqual(named({ search: "?s=x", hash: "#s=y" }), { session: "y", process: 0 });
  assert.deepEqual(named({ search: "?s=x", hash: "#12" }), { session: "x", process: 12 });
  assert.deepEqual(named({ search: "?s=x", hash: "" }), { session: "x", process: 0 });
  assert.deepEqual(named({ search: "?s=x", hash: "#12a" }), { session: "x", process: 0 });
  assert.deepEqual(named({ search: "", hash: "#s=%" }), { session: "%", process: 0 });
});

test("the address that the page writes names no file and no query", () => {
  const address = addressOf({ pathname: "/shell/" }, "a/b");
  assert.equal(address, "/shell/#s=a%2Fb");
  assert.equal(named(new URL(address, "http://x")).session, "a/b");
});
