/**
 * `lvsd whatif`: another scheduler beside the real one.
 *
 * @module
 */
import { currentSurroundings } from "../admin/socket_path.ts";
import { SystemClock } from "../clock.ts";
import { suggestion } from "../config/nearest.ts";
import { EXIT, UsageError } from "../errors.ts";
import { findScheduler, SCHEDULER_NAMES } from "../schedulers/registry.ts";
import { readScript } from "../simulator/script_reader.ts";
import { compareSchedulers, type ServiceComparison } from "../simulator/what_if.ts";
import { type Command, type ParsedArgs, textOption } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";
import { playProgress, readConfigOption, readScriptFile } from "./simulator_files.ts";
import { alignColumns, counted, printable } from "./table.ts";

export const whatIf: Command = {
  usage: `lvsd whatif - another scheduler on the same arrivals

Usage: lvsd whatif -s SCHEDULER [FILE] [-c CONFIG] [--json] [--socket PATH | --url URL]

FILE is a script or the output of lvsd record; without it the running daemon is asked for its record.
Each service is played with its own scheduler and again with SCHEDULER.

  -s, --scheduler NAME  ${SCHEDULER_NAMES.join(" ")}
  -c, --config FILE     services to begin with, for a script that makes none
      --json            [{"service", "connections", "moved", "unlike", "shares": [{"destination", "real", "other"}]}]
${daemonOptionsUsage(24)}
Exit codes: 0 compared, 1 the script has a mistake, 2 usage, 3 no daemon or a file cannot be read.

Example:
  lvsd whatif -s sed
`,
  options: {
    scheduler: { type: "string", short: "s" },
    config: { type: "string", short: "c" },
    json: { type: "boolean" },
    ...DAEMON_OPTIONS,
  },
  positionals: { least: 0, most: 1 },

  async run(args, context) {
    const scheduler = schedulerOption(args);
    const [file] = args.positionals;
    const client = () => daemonClient(args, context, new SystemClock(), currentSurroundings());
    const script = file === undefined
      ? readScript(await client().record(), "the daemon's record")
      : await readScriptFile(file);
    const config = await readConfigOption(args, context);
    const services = compareSchedulers({
      script,
      scheduler,
      findScheduler,
      ...playProgress(2 * script.lines.length, context),
      ...(config === undefined ? {} : { config }),
    });
    context.progress?.("");
    if (args.values.json === true) context.stdout(`${JSON.stringify(services, null, 2)}\n`);
    else context.stdout(formatComparison(services, scheduler));
    return EXIT.ok;
  },
};

function schedulerOption(args: ParsedArgs): string {
  const name = textOption(args, "scheduler");
  if (name !== undefined && findScheduler(name) !== undefined) return name;
  const what = name === undefined ? "whatif needs -s SCHEDULER" : `there is no scheduler "${name}"`;
  const hint = name === undefined ? "" : suggestion(name, SCHEDULER_NAMES);
  throw new UsageError("SCHEDULER_UNKNOWN", `${what}; there are ${SCHEDULER_NAMES.join(", ")}${hint}`);
}

function formatComparison(services: readonly ServiceComparison[], scheduler: string): string {
  if (services.length === 0) return "no new connection in this record\n";
  return services.map(({ service, connections, moved, unlike, shares }) => {
    const percent = (count: number) => `${(100 * count / Math.max(1, connections)).toFixed(1)}%`;
    const cells = (texts: readonly string[]) => texts.map((text, i) => ({ text, alignRight: i > 0 }));
    const rows = shares.map(({ destination, real, other }) =>
      cells([destination, `${real}`, percent(real), `${other}`, percent(other)])
    );
    const columns = cells(["destination", "real", "", scheduler, ""]);
    const lines = alignColumns([columns, ...rows]).map((line) => `  ${printable(line)}\n`);
    const doubt = unlike === 0
      ? ""
      : `  ${unlike} of them the replay decides otherwise than the daemon did: the comparison is rough\n`;
    const head = `${printable(service)}: ${
      counted(connections, "new connection")
    }, ${moved} would go elsewhere`;
    return `${head} (${percent(moved)})\n${doubt}${lines.join("")}`;
  }).join("\n");
}
