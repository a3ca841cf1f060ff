/** The bare loop is a fair side only if it passes every byte on. */
import assert from "node:assert/strict";
import { startBare } from "../../../bench/bare_side.ts";
import { Echo, exchange } from "../../integration/byte_exchange.ts";
import { peerTest } from "../../peers/required_peers.ts";

/** More than sockets and pipes hold together, so that each direction waits for room. */
const PAYLOAD_BYTES = 16 * 1_048_576;
/** The most that `getRandomValues` gives at once. */
const RANDOM_BYTES = 65_536;
const CONNECTIONS = 4;

peerTest(
  "bench: the bare loop passes on every byte and both ends, copying and splicing",
  ["cc"],
  async () => {
    await using echo = new Echo("127.0.0.1", 0);
    const side = await startBare({ http: echo.port, stream: echo.port }, 2);
    await using _process = side.processes[0];
    const sent = new Uint8Array(PAYLOAD_BYTES);
    for (let at = 0; at < PAYLOAD_BYTES; at += RANDOM_BYTES) {
      crypto.getRandomValues(sent.subarray(at, at + RANDOM_BYTES));
    }
    for (const port of [side.ports.http, side.ports.stream]) {
      const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => exchange(port, sent)));
      for (const received of all) assert.ok(equal(received, sent));
    }
  },
);

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
