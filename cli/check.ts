/**
 * `lvsd check`: every mistake of a configuration, with its place.
 *
 * @module
 */
import { loadConfig, readConfigFile } from "../config/load.ts";
import { findDistrust } from "../config/trusted_file.ts";
import { ConfigError, EXIT } from "../errors.ts";
import type { CliContext, Command, ParsedArgs } from "./command.ts";
import { counted } from "./table.ts";

const USAGE = `lvsd check - every mistake of a config file, as file:line:column: message

Usage: lvsd check FILE [--json]

      --json  one JSON object: {"ok": false, "problems": [{"file", "line", "column", "path", "message"}],
              "warnings": ["..."]}
  -h, --help  this text

It warns, without another exit code, of a file that others may write: lvsd run refuses it when root starts it.

Exit codes: 0 no mistake, 1 mistakes, 2 usage, 3 the file cannot be read.

Example:
  lvsd check config.example.yaml
`;

export const check: Command = {
  usage: USAGE,
  options: { json: { type: "boolean" } },
  positionals: { least: 1, most: 1 },
  run: checkFile,
};

async function checkFile(args: ParsedArgs, context: CliContext): Promise<number> {
  const file = args.positionals[0] ?? "";
  const asJson = args.values["json"] === true;
  const warnings = await warningsOf(file);
  try {
    const { services } = loadConfig(await readConfigFile(file), file, context.env);
    const destinations = services.reduce((sum, it) => sum + it.destinations.length, 0);
    const counts = { services: services.length, destinations };
    if (!asJson) { for (const warning of warnings) context.stderr(`lvsd: warning: ${warning}\n`); }
    context.stdout(
      asJson
        ? `${JSON.stringify({ ok: true, problems: [], warnings, ...counts })}\n`
        : `${file}: ok, ${counted(counts.services, "service")}, ${counted(destinations, "destination")}\n`,
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    context.stdout(
      asJson
        ? `${JSON.stringify({ ok: false, problems: error.problems, warnings })}\n`
        : `${error.message}\n`,
    );
    return EXIT.failed;
  }
}

/** A missing or unreadable file is told by whoever reads it. */
async function warningsOf(file: string): Promise<string[]> {
  const uid = Deno.uid();
  if (uid === null) return [];
  try {
    const found = await findDistrust(file, uid);
    // Where every user has a group of their own (Debian's default) its members are the user alone.
    if (found === undefined || (found.writers === "group" && uid !== 0)) return [];
    return [`${found.path} ${found.problem}; lvsd run as root refuses such a file; mend it: ${found.remedy}`];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return [];
    throw error;
  }
}
