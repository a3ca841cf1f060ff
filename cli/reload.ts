/**
 * `lvsd reload`: the daemon reads its config file again.
 *
 * @module
 */
import { currentSurroundings } from "../admin/socket_path.ts";
import type { ReloadOutcome } from "../admin/source.ts";
import { SystemClock } from "../clock.ts";
import { EXIT } from "../errors.ts";
import type { Command } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";
import { printable } from "./table.ts";

export const reload: Command = {
  usage: `lvsd reload - the running daemon reads its config file again

Usage: lvsd reload [--json] [--socket PATH | --url URL]

The difference is applied; what did not change keeps its connections, counters and health. A file
with mistakes changes nothing: every mistake is printed.

      --json         {"ok", "message", "problems": [{"file", "line", "column", "path", "message"}],
                     "changes": ["..."]} on standard output, refused or not
${daemonOptionsUsage(21)}
Exit codes: 0 applied, 1 refused and nothing changed, 2 usage, 3 no daemon.

Example:
  lvsd check config.example.yaml && lvsd reload
`,
  options: { json: { type: "boolean" }, ...DAEMON_OPTIONS },

  async run(args, context) {
    const client = daemonClient(args, context, new SystemClock(), currentSurroundings());
    const outcome = await client.reload();
    if (args.values["json"] === true) {
      context.stdout(`${JSON.stringify(outcome, null, 2)}\n`);
      return outcome.ok ? EXIT.ok : EXIT.failed;
    }
    const print = outcome.ok ? context.stdout : context.stderr;
    print(formatOutcome(outcome));
    return outcome.ok ? EXIT.ok : EXIT.failed;
  },
};

/** Changes first, or mistakes first as `file:line:column: message`; the summary last, where the eye is. */
export function formatOutcome(outcome: ReloadOutcome): string {
  const problems = outcome.problems.map((it) => `${it.file}:${it.line}:${it.column}: ${it.message}`);
  const lines = [...problems, ...outcome.changes, outcome.message];
  return lines.map((line) => `${printable(line)}\n`).join("");
}
