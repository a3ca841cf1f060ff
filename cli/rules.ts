/**
 * `lvsd rules`: the rule chains of the running daemon with their counters.
 *
 * @module
 */
import { currentSurroundings } from "../admin/socket_path.ts";
import { SystemClock } from "../clock.ts";
import { EXIT } from "../errors.ts";
import type { Command } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";
import { formatRules } from "./rules_text.ts";

export const rules: Command = {
  usage: `lvsd rules - the rule chains of the running daemon, as iptables -L -v -n lists them

Usage: lvsd rules [-x] [-Z] [--line-numbers] [--json] [--socket PATH | --url URL]

  -x, --exact         whole numbers instead of K, M, G
  -Z, --zero          lists, and lets the counters begin at 0
      --line-numbers  the number of each rule
      --json          the answer of GET /rules as it is
${daemonOptionsUsage(22)}
Rules stand under "rules:" in the config file; docs/rules.md has them beside the iptables commands.
In socket engines "pkts" are new connections, and datagrams of UDP clients without a session; the packet
engine's packets are added.

Exit codes: 0 done, 2 usage, 3 no daemon.

Example:
  lvsd rules --json | jq '.chains[].rules[] | select(.packets > 0) | [.target, .source, .packets]'
`,
  options: {
    exact: { type: "boolean", short: "x" },
    zero: { type: "boolean", short: "Z" },
    "line-numbers": { type: "boolean" },
    json: { type: "boolean" },
    ...DAEMON_OPTIONS,
  },

  async run(args, context) {
    const client = daemonClient(args, context, new SystemClock(), currentSurroundings());
    const listed = args.values.zero === true ? await client.zeroRules() : await client.rules();
    context.stdout(
      args.values.json === true ? `${JSON.stringify(listed, null, 2)}\n` : formatRules(listed, {
        exact: args.values.exact === true,
        lineNumbers: args.values["line-numbers"] === true,
      }),
    );
    return EXIT.ok;
  },
};
