/** What is saved and restored is saved again as it was. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { seedOfRun } from "../unit/net/property.ts";
import { ruleSet, ToolBench } from "../unit/ipvsadm/rule_sets.ts";

Deno.test("500 rule sets: saved, restored and saved again they are byte-identical", async () => {
  let rules = 0;
  await fc.assert(
    fc.asyncProperty(ruleSet, async (commands) => {
      const made = new ToolBench();
      for (const command of commands) {
        const { code, stderr } = await made.run(command);
        assert.ok(code === 0 || /already exists|Invalid operation/.test(stderr), `${command}: ${stderr}`);
      }
      const saved = await made.run("-S -n");
      const again = new ToolBench();
      assert.deepEqual(await again.run("-R", saved.stdout), { code: 0, stdout: "", stderr: "" });
      assert.equal((await again.run("-S -n")).stdout, saved.stdout);
      assert.equal((await again.run("-L -n")).stdout, (await made.run("-L -n")).stdout);
      rules += saved.stdout.split("\n").length - 1;
    }),
    { numRuns: 500, seed: seedOfRun() },
  );
  assert.ok(rules > 3_000, `${rules} rules are too few to prove anything`);
});
