/**
 * `lvsd import`: another program's rules as a config.
 *
 * @module
 */
import { glob } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { SystemClock } from "../clock.ts";
import { fileUnreadable, loadConfig } from "../config/load.ts";
import { systemNames } from "../daemon/system_names.ts";
import { ConfigError, EXIT } from "../errors.ts";
import { importFile } from "../ipvsadm/imports/import_file.ts";
import { importedText } from "../ipvsadm/imports/imported.ts";
import type { IncludeReader } from "../ipvsadm/imports/keepalived_syntax.ts";
import type { CliContext, Command, ParsedArgs } from "./command.ts";
import { printable } from "./table.ts";

export const importCommand: Command = {
  usage: `lvsd import - another program's rules as an lvsd config

Usage: lvsd import FILE [--json]

  FILE           output of ipvsadm -S (better -S -n), keepalived.conf with what it includes, or ldirectord.cf;
                 - reads standard input
      --json     {"config": "...", "warnings": [{"file", "line", "message"}], "problems": [...]}
  -h, --help     this text

The config goes to standard output. Each thing without a counterpart is a warning on standard error,
as file:line: message. A check that lvsd does not have is imported as off, never as another one.

Exit codes: 0 the config is right as it is (warnings or not), 1 it needs an edit: what and where is
said, 2 usage, 3 FILE cannot be read.

Examples:
  lvsd import /etc/keepalived/keepalived.conf > lvsd.yaml && lvsd check lvsd.yaml
  ssh director ipvsadm -S -n | lvsd import - > lvsd.yaml
`,
  options: { json: { type: "boolean" } },
  positionals: { least: 1, most: 1 },
  run: importRulesOf,
};

async function importRulesOf(args: ParsedArgs, context: CliContext): Promise<number> {
  const [name = ""] = args.positionals;
  const isInput = name === "-";
  const file = isInput ? "standard input" : name;
  const text = isInput ? await context.stdin?.() ?? "" : await readText(name);
  const clock = new SystemClock();
  const imported = await importFile(text, file, {
    names: await systemNames(clock),
    includes: new Includes(),
  });
  const config = importedText(imported, file);
  const problems = problemsOf(config);
  if (args.values["json"] === true) {
    context.stdout(`${JSON.stringify({ config, warnings: imported.warnings, problems }, null, 2)}\n`);
  } else {
    context.stdout(config);
    for (const it of imported.warnings) {
      context.stderr(`${printable(`${it.file}:${it.line}: warning: ${it.message}`)}\n`);
    }
    for (const it of problems) {
      context.stderr(`${printable(`config:${it.line}:${it.column}: ${it.message}`)}\n`);
    }
  }
  return problems.length === 0 ? EXIT.ok : EXIT.failed;
}

function problemsOf(config: string): ConfigError["problems"] {
  try {
    loadConfig(config, "config", () => undefined);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** Files beside the including one, by name or pattern. None is no mistake, as in keepalived. */
class Includes implements IncludeReader {
  async read(pattern: string, from: string): Promise<{ path: string; text: string }[]> {
    const path = isAbsolute(pattern) ? pattern : join(dirname(from), pattern);
    const found = await Array.fromAsync(glob(path, { withFileTypes: true }));
    const paths = found.filter((it) => !it.isDirectory()).map((it) => join(it.parentPath, it.name));
    return await Promise.all(paths.sort().map(async (path) => ({ path, text: await readText(path) })));
  }
}

/** @throws {SystemError} `FILE_NOT_FOUND`, `FILE_NOT_READABLE` */
async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw fileUnreadable(path, error);
  }
}
