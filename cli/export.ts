/**
 * `lvsd export`: a config's rules for a real kernel director.
 *
 * @module
 */
import { systemNames } from "../daemon/system_names.ts";
import { SystemClock } from "../clock.ts";
import { loadConfig, readConfigFile } from "../config/load.ts";
import { suggestion } from "../config/nearest.ts";
import { EXIT, UsageError } from "../errors.ts";
import { exportRules } from "../ipvsadm/export_rules.ts";
import { type CliContext, type Command, type ParsedArgs, textOption } from "./command.ts";
import { printable } from "./table.ts";

/** What can be written. */
const FORMATS = ["ipvsadm"];

export const exportCommand: Command = {
  usage: `lvsd export - a config's rules for a real kernel director

Usage: lvsd export ipvsadm -c FILE

  -c, --config FILE  the config
  -h, --help         this text

Prints commands for ipvsadm-restore, thresholds and time-outs included; weights are the configured ones. What the
kernel has no counterpart of (health checks, sorry servers, limits) is a warning on standard error.

Exit codes: 0 printed, 1 the config has mistakes, 2 usage, 3 the file cannot be read.

Example:
  lvsd export ipvsadm -c config.example.yaml      # to a director: | ssh director ipvsadm-restore
`,
  options: { config: { type: "string", short: "c" } },
  positionals: { least: 1, most: 1 },
  run: exportConfig,
};

async function exportConfig(args: ParsedArgs, context: CliContext): Promise<number> {
  const [format = ""] = args.positionals;
  if (!FORMATS.includes(format)) {
    throw new UsageError(
      "UNKNOWN_FORMAT",
      `no format "${format}"; there is ipvsadm${suggestion(format, FORMATS)}`,
      {
        value: format,
      },
    );
  }
  const file = textOption(args, "config");
  if (file === undefined) throw new UsageError("CONFIG_MISSING", "which config? give --config FILE", {});
  const config = loadConfig(await readConfigFile(file), file, context.env);
  const { commands, warnings } = await exportRules(config, await systemNames(new SystemClock()));
  context.stdout(commands.map((it) => `${it}\n`).join(""));
  for (const it of warnings) context.stderr(`${printable(`warning: ${it}`)}\n`);
  return EXIT.ok;
}
