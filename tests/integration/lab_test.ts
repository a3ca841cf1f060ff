/**
 * The labs: real nginx and dnsmasq as real servers, real curl and dig as clients, the packet engine between them.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { run } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";

const LAB = fileURLToPath(new URL("../../scripts/lab.ts", import.meta.url));
/** As a shell tells of a process that SIGINT ended. */
const INTERRUPTED = 130;
const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";

for (const [mode, checks] of [["nat", 21], ["dr", 21], ["tun", 42]] as const) {
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

Deno.test({
  name: `lab: Ctrl-C during checks takes everything down${
    reason === undefined || isPromised ? "" : ` (skipped: ${reason})`
  }`,
  ignore: reason !== undefined && !isPromised,
  async fn() {
    assert.equal(reason, undefined);
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", LAB, "nat", "--test", "--exchanges", "200"],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    });
    const child = command.spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream());
    let said = "";
    for await (const text of output) {
      said += text;
      // Once, in the midst of the cells.
      if (!said.includes("interrupted") && said.includes("ok ")) child.kill("SIGINT");
    }
    assert.equal((await child.status).code, INTERRUPTED, said);
    const left = (await run(["ip", "netns", "list"])).stdout;
    assert.ok(!left.includes(`lvsd${child.pid}nat`), left);
  },
});
