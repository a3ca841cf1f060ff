import assert from "node:assert/strict";
import { loadConfig } from "../../../config/load.ts";
import { diagnose } from "../../../doctor/diagnosis.ts";
import { TRANSPARENT_PIECES } from "../../../net/transparent_network.ts";
import { FakeHost } from "./fake_host.ts";

const CONFIG = loadConfig(
  "services: [{name: web, listen: 10.0.0.2:80, clientAddress: transparent, destinations: [10.0.0.9]}]",
  "lvsd.yaml",
  () => undefined,
);

/** What the doctor says of the service. */
async function said(host: FakeHost) {
  const [web] = (await diagnose(CONFIG, host)).services;
  return {
    ids: web?.findings.map((it) => it.id),
    life: web?.life,
    mends: web?.findings.map((it) => it.mend),
  };
}

function mended(): FakeHost {
  const host = new FakeHost();
  for (const { look, sign } of TRANSPARENT_PIECES) {
    const command = look.join(" ");
    host.outputs.set(command, `${host.outputs.get(command) ?? ""}${sign} proto 76\n`);
  }
  return host;
}

Deno.test("doctor, transparent: each missing piece of the network has its command, and stops the service", async () => {
  const { ids, life, mends } = await said(new FakeHost());
  assert.deepEqual(ids, TRANSPARENT_PIECES.map((it) => it.id));
  assert.equal(life, "impossible");
  assert.match(mends?.at(-1) ?? "", /^nft 'table inet lvsd_transparent .*socket transparent 1.*'$/);
  assert.equal(mends?.[0], "ip -4 route add local default dev lo table 19542 proto 76");
});

Deno.test("doctor, transparent: a host that is set up is found right, but not without the capabilities or FFI", async () => {
  const host = mended();
  assert.deepEqual((await said(host)).ids, []);
  host.files.set("/proc/self/status", "CapEff:\t0000000000000400");
  assert.deepEqual((await said(host)).ids, ["transparent-capability"]);
  host.hasFfi = false;
  assert.deepEqual((await said(host)).ids, ["transparent-engine"]);
});
