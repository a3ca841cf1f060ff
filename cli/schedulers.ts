/**
 * `lvsd schedulers`: those there are, and what each goes by.
 *
 * @module
 */
import { SCHEDULER_FLAGS } from "../config/scheduler_flags.ts";
import { EXIT } from "../errors.ts";
import { SCHEDULER_NAMES } from "../schedulers/registry.ts";
import { REASONS } from "../simulator/reasons.ts";
import type { Command } from "./command.ts";
import { alignColumns } from "./table.ts";

export const schedulers: Command = {
  usage: `lvsd schedulers - the schedulers there are

Usage: lvsd schedulers [--json]

      --json  [{"name", "flags", "rule"}]
  -h, --help  this text

Exit codes: 0 printed, 2 usage.

Example:
  lvsd schedulers --json | jq -r '.[].name'
`,
  options: { json: { type: "boolean" } },

  run(args, context) {
    const rows = SCHEDULER_NAMES.map((name) => ({
      name,
      flags: Object.entries(SCHEDULER_FLAGS).filter(([, it]) => it.scheduler === name).map(([flag]) => flag),
      rule: REASONS[name]?.rule ?? "",
    }));
    const cells = rows.map(({ name, flags, rule }) =>
      [name, rule, flags.join(" ")].map((text) => ({ text }))
    );
    context.stdout(
      args.values.json === true
        ? `${JSON.stringify(rows, null, 2)}\n`
        : alignColumns(cells).map((line) => `${line.trimEnd()}\n`).join(""),
    );
    return Promise.resolve(EXIT.ok);
  },
};
