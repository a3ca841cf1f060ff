/**
 * `lvsd proc`: what the kernel shows under /proc/net.
 *
 * @module
 */
import { currentSurroundings } from "../admin/socket_path.ts";
import { SystemClock } from "../clock.ts";
import { suggestion } from "../config/nearest.ts";
import { EXIT, UsageError } from "../errors.ts";
import { PROC_VIEWS } from "../ipvsadm/proc.ts";
import type { Command } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";

export const proc: Command = {
  usage: `lvsd proc - what the kernel shows under /proc/net, of the running daemon

Usage: lvsd proc VIEW [--socket PATH | --url URL]

  VIEW               ${PROC_VIEWS.join(", ")}
${daemonOptionsUsage(21)}
Exit codes: 0 printed, 2 usage, such as no such view, 3 no daemon.

Example:
  lvsd proc ip_vs_conn | grep ESTABLISHED
`,
  options: DAEMON_OPTIONS,
  positionals: { least: 1, most: 1 },

  async run(args, context) {
    const [view = ""] = args.positionals;
    const name = view.replace(/^\/proc\/net\//, "");
    if (!PROC_VIEWS.some((it) => it === name)) {
      throw new UsageError(
        "UNKNOWN_VIEW",
        `no view "${view}"; there are ${PROC_VIEWS.join(", ")}${suggestion(name, PROC_VIEWS)}`,
        { value: view },
      );
    }
    const client = daemonClient(args, context, new SystemClock(), currentSurroundings());
    context.stdout(await client.proc(name));
    return EXIT.ok;
  },
};
