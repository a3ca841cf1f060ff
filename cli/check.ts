/**
 * `lvsd check`: every mistake of a configuration, with its place.
 *
 * @module
 */
import { loadConfig, readConfigFile } from "../config/load.ts";
import { ConfigError, EXIT } from "../errors.ts";
import type { CliContext, Command, ParsedArgs } from "./command.ts";

const USAGE = `lvsd check - every mistake of a config file, as file:line:column: message

Usage: lvsd check FILE [--json]

      --json  one JSON object: {"ok": false, "problems": [{"file", "line", "column", "path", "message"}]}
  -h, --help  this text

Exit codes: 0 no mistake, 1 mistakes, 2 usage, 3 the file cannot be read.

Example:
  lvsd check config.example.yaml
`;

export const check: Command = {
  name: "check",
  summary: "every mistake of a config file, with line and column",
  usage: USAGE,
  options: { json: { type: "boolean" } },
  positionals: { least: 1, most: 1 },
  run: checkFile,
};

async function checkFile(args: ParsedArgs, context: CliContext): Promise<number> {
  const file = args.positionals[0] ?? "";
  const asJson = args.values["json"] === true;
  try {
    const { services } = loadConfig(await readConfigFile(file), file, context.env);
    const destinations = services.reduce((sum, it) => sum + it.destinations.length, 0);
    const counts = { services: services.length, destinations };
    context.stdout(
      asJson
        ? `${JSON.stringify({ ok: true, problems: [], ...counts })}\n`
        : `${file}: ok, ${count(counts.services, "service")}, ${count(destinations, "destination")}\n`,
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    context.stdout(
      asJson ? `${JSON.stringify({ ok: false, problems: error.problems })}\n` : `${error.message}\n`,
    );
    return EXIT.failed;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
