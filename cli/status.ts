/**
 * `lvsd status`: what the daemon does now, for people or as JSON.
 *
 * @module
 */
import { currentSurroundings } from "../admin/socket_path.ts";
import { SystemClock } from "../clock.ts";
import { EXIT } from "../errors.ts";
import type { Command } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";
import { formatStatus } from "./status_text.ts";

export const status: Command = {
  usage: `lvsd status - what the running daemon does now

Usage: lvsd status [--json] [--socket PATH | --url URL]

      --json         the answer of GET /status as it is
${daemonOptionsUsage(21)}
Exit codes: 0 ready, 1 not ready (says which service and why), 2 usage, 3 no daemon.

Example:
  lvsd status --json | jq '.services[].destinations[] | select(.state == "down").name'
`,
  options: { json: { type: "boolean" }, ...DAEMON_OPTIONS },

  async run(args, context) {
    const client = daemonClient(args, context, new SystemClock(), currentSurroundings());
    const now = await client.status();
    const readiness = await client.readiness();
    if (args.values.json === true) context.stdout(`${JSON.stringify(now, null, 2)}\n`);
    else {
      const colour = context.isTerminal && !context.env("NO_COLOR");
      context.stdout(formatStatus(now, readiness, { colour }));
    }
    return readiness.ready ? EXIT.ok : EXIT.failed;
  },
};
