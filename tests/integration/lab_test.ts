/**
 * The labs: real nginx and dnsmasq as real servers, real curl and dig as clients, the packet engine between them.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { run } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";

const LAB = fileURLToPath(new URL("../../scripts/lab.ts", import.meta.url));
const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";

for (const [mode, checks] of [["nat", 16], ["dr", 16], ["tun", 22]] as const) {
  const skipped = reason === undefined || isPromised ? "" : ` (skipped: ${reason})`;
  Deno.test({
    name: `lab ${mode}: every cell, logs, replies and large transfers${skipped}`,
    ignore: reason !== undefined && !isPromised,
    async fn() {
      assert.equal(reason, undefined);
      const { code, stdout, stderr } = await run([Deno.execPath(), "run", "-A", LAB, mode, "--test"]);
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      assert.equal(stdout.split("\n").filter((it) => it.startsWith("ok ")).length, checks, stdout);
      assert.ok(
        !(await run(["ip", "netns", "list"])).stdout.includes(`lvsd${mode}`),
        "nothing is left behind",
      );
    },
  });
}
