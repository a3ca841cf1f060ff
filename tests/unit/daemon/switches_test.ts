/** Switches from the configuration, and from hand. */
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { loadConfig } from "../../../config/load.ts";
import { planChange } from "../../../config/plan.ts";
import { Switches } from "../../../daemon/switches.ts";
import { makeDirector } from "../director/testbed.ts";

const read = (text: string) => loadConfig(text, "lvsd.yaml", () => undefined);

Deno.test("switches: a reload sets what it changes, and leaves what was set by hand", () => {
  const { sysctl } = makeDirector();
  const switches = new Switches(sysctl, getLogger("test"));
  const first = read("ipvs: {expire_nodest_conn: 1, sync_threshold: [5, 70]}");
  switches.apply(first.ipvs);
  assert.deepEqual([sysctl.expire_nodest_conn, sysctl.sync_threshold, sysctl.sync_threshold_period], [
    1,
    5,
    70,
  ]);
  switches.set("sloppy_tcp", "1");
  switches.set("expire_nodest_conn", "0");
  const second = read("ipvs: {expire_nodest_conn: 1, am_droprate: 7}");
  switches.apply(second.ipvs);
  assert.deepEqual([sysctl.sloppy_tcp, sysctl.expire_nodest_conn, sysctl.am_droprate], [1, 0, 7]);
  assert.deepEqual(
    [sysctl.sync_threshold, sysctl.sync_threshold_period],
    [3, 50],
    "gone from the file: the default",
  );
  assert.deepEqual(planChange(first, second).changes.map((it) => it.text), [
    "ipvs: am_droprate, sync_threshold changed",
  ]);
});

Deno.test("switches: a wrong value in the config is told in its place", () => {
  const wrong = (text: string, message: RegExp) => assert.throws(() => read(text), message);
  wrong("ipvs: {drop_entry: 4}", /1:20: drop_entry 4 is not possible; allowed: whole numbers from 0 to 3/);
  wrong("ipvs: {drop_entri: 1}", /1:8: .*did you mean "drop_entry"/);
  wrong("ipvs: {sync_ports: 3}", /sync_ports 3 is not a power of two/);
  wrong("ipvs: {sync_threshold: [50, 3]}", /sync_threshold must be two numbers/);
});
