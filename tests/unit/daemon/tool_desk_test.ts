/** When a command of ipvsadm is answered. */
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { ToolDesk } from "../../../daemon/tool_desk.ts";
import { Turns } from "../../../daemon/turns.ts";
import type { Director } from "../../../director/director.ts";
import { DirectorTable } from "../../../ipvsadm/director_table.ts";
import { NO_NAMES } from "../../../ipvsadm/names.ts";
import type { ServiceRule } from "../../../ipvsadm/rules.ts";
import { ToolBench } from "../ipvsadm/rule_sets.ts";

/** Counts what the tests below change: services that are added. */
class CountedTable extends DirectorTable {
  changes = 0;
  readonly timeoutsSet = false;
  readonly unserved = [];

  constructor(director: Director) {
    super({ director, nowMs: () => 0, interfaces: () => [] });
  }

  override addService(rule: ServiceRule): Promise<void> {
    this.changes++;
    return super.addService(rule);
  }
}

function openDesk(passed: () => Promise<void>): ToolDesk {
  return new ToolDesk({
    table: new CountedTable(new ToolBench().director),
    turns: new Turns(),
    logger: getLogger(["lvsd", "tests"]),
    names: () => Promise.resolve(NO_NAMES),
    passed,
    stateFile: undefined,
  });
}

Deno.test("a command that changes something is answered when every worker has seen the change", async () => {
  const asked = Promise.withResolvers<void>();
  const seen = Promise.withResolvers<void>();
  const order: string[] = [];
  const desk = openDesk(() => {
    asked.resolve();
    return seen.promise;
  });
  const answer = desk.run({ words: ["-A", "-t", "192.0.2.1:80"], stdin: "" }).then(({ code }) => {
    order.push("answered");
    return code;
  });
  await asked.promise;
  // All that is ready to run has run: an answer that did not wait would be here.
  await new Promise((resolve) => setTimeout(resolve, 0));
  order.push("seen");
  seen.resolve();
  assert.equal(await answer, 0);
  assert.deepEqual(order, ["seen", "answered"]);
});

Deno.test("a command that changes nothing asks no worker", async () => {
  const desk = openDesk(() => Promise.reject(new Error("workers were asked")));
  const { code, stdout } = await desk.run({ words: ["-S", "-n"], stdin: "" });
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
});
