/** What iperf3 prints, read. */
import assert from "node:assert/strict";
import { iperf3Arguments, parseIperf3 } from "../../../bench/iperf3.ts";

Deno.test("bench: iperf3's rate is that of the bytes that arrived", () => {
  const sums = {
    sum_sent: { bytes: 9e9, bits_per_second: 99e9 },
    sum_received: { bytes: 2e9, bits_per_second: 8e9 },
  };
  assert.deepEqual(parseIperf3(JSON.stringify({ end: sums })), { value: 1_000, errors: 0, units: 2 });
});

Deno.test("bench: a server that still has another client is not an error, anything else is", () => {
  const busy = "error - the server is busy running a test. try again later";
  assert.equal(parseIperf3(JSON.stringify({ end: {}, error: busy })), "busy");
  const refused = "unable to connect to server: Connection refused";
  assert.deepEqual(parseIperf3(JSON.stringify({ end: {}, error: refused })), { value: 0, errors: 1 });
  assert.throws(() => parseIperf3("iperf3: interrupt"), SyntaxError);
});

Deno.test("bench: the command line of iperf3 has the same load for every side", () => {
  const run = { seconds: 3, streams: 8, direction: "down" } as const;
  assert.deepEqual(iperf3Arguments(run), [
    ...["--client", "127.0.0.1", "--time", "3", "--parallel", "8", "--reverse"],
  ]);
});
