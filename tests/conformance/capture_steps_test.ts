/** The steps of recorded captures that the director alone decides: persistence, quiescing, deleted servers, one-packet. */
import assert from "node:assert/strict";
import { replaySteps } from "../oracle/step_replay.ts";

const FIXTURES = new URL("../fixtures/captures/", import.meta.url);
const CASES = [
  "deleted_server_nodest0",
  "deleted_server_nodest1",
  "ops_dr",
  "ops_nat",
  "persist_expiry",
  "persist_q0",
  "weight0",
];
const read = (name: string) => Deno.readTextFileSync(new URL(`${name}/case.json`, FIXTURES));

for (const name of CASES) {
  Deno.test(`capture ${name}: packets and listings as recorded`, async () => {
    const { packets, listings } = await replaySteps(read(name));
    assert.ok(packets > 0 && listings > 0, `${packets} packets, ${listings} listings compared`);
  });
}

Deno.test("captures: a lie about a server, a listing or a time is found", async () => {
  const text = read("persist_q0");
  for (
    const [truth, lie] of [["rs3-pong", "rs1-pong"], ["Masq    1      3 ", "Masq    1      2 "], [
      "00:29  ASSURED",
      "00:22  ASSURED",
    ], ["expire_quiescent_template=0", "expire_quiescent_template=1"]] as const
  ) {
    assert.ok(text.includes(truth), truth);
    await assert.rejects(replaySteps(text.replace(truth, lie)), /kernel/, lie);
  }
});
