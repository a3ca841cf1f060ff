/** The bare loop is a fair side only if it passes every byte on. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { startBare } from "../../../bench/bare_side.ts";
import { Echo, exchange } from "../../integration/byte_exchange.ts";
import { randomBytes } from "../../integration/patterned_bytes.ts";
import { peerTest } from "../../peers/required_peers.ts";

/** More than sockets and pipes hold together, so that each direction waits for room. */
const PAYLOAD_BYTES = 16 * 1_048_576;
const CONNECTIONS = 4;

peerTest(
  "bench: the bare loop passes on every byte and both ends, copying and splicing",
  ["cc"],
  async () => {
    await using echo = new Echo("127.0.0.1", 0);
    const side = await startBare({ http: echo.port, stream: echo.port }, 2);
    await using _process = side.processes[0];
    const sent = randomBytes(PAYLOAD_BYTES);
    for (const port of [side.ports.http, side.ports.stream]) {
      const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => exchange(port, sent)));
      for (const received of all) assert.equal(Buffer.compare(received, sent), 0);
    }
  },
);
