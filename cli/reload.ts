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
import { DAEMON_OPTIONS, DAEMON_OPTIONS_USAGE, daemonClient } from "./daemon_client.ts";
import { printable } from "./table.ts";

export const reload: Command = {
  name: "reload",
  summary: "the running daemon reads its config file again and applies what changed",
  usage: `lvsd reload - the running daemon reads its config file again

Usage: lvsd reload [--socket PATH | --url URL]

The difference is applied; what did not change keeps its connections, counters and health. A file
with mistakes changes nothing: every mistake is printed.

${DAEMON_OPTIONS_USAGE}  -h, --help     this text

Exit codes: 0 applied, 1 refused and nothing changed, 3 no daemon.

Example:
  lvsd check lvsd.yaml && lvsd reload
`,
  options: DAEMON_OPTIONS,

  async run(args, context) {
    const client = daemonClient(args, context, new SystemClock(), currentSurroundings());
    const outcome = await client.reload();
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
