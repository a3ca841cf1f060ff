/** What wrk prints, read. */
import assert from "node:assert/strict";
import { parseWrk, wrkArguments } from "../../../bench/client.ts";

const CLEAN = `Running 1s test @ http://127.0.0.1:8080/
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.93ms  310.02us   6.46ms   86.36%
    Req/Sec    53.71k     3.55k   57.07k    90.00%
  53412 requests in 1.00s, 7.69MB read
Requests/sec:  53238.96
Transfer/sec:      7.66MB
`;

Deno.test("bench: the rate of a clean run of wrk", () => {
  assert.deepEqual(parseWrk(CLEAN), { value: 53_238.96, errors: 0, units: 53_412 });
});

Deno.test("bench: every kind of error that wrk counts is counted", () => {
  const text = CLEAN.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\nRequests/sec",
  );
  assert.equal(parseWrk(text).errors, 54_321);
});

Deno.test("bench: a run of wrk that failed is not taken for a slow one", () => {
  assert.throws(() => parseWrk("unable to connect to 127.0.0.1:1 Connection refused\n"), /unable to connect/);
});

Deno.test("bench: the command line of wrk has the same load for every side", () => {
  const run = { connections: 50, seconds: 3, headers: ["Connection: close"] };
  assert.deepEqual(wrkArguments(run), ["-t1", "-c50", "-d3s", "-H", "Connection: close"]);
});
