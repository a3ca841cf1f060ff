/**
 * `lvsd permissions`: what Deno has to allow for one config.
 *
 * @module
 */
import { controlSocketPlace, currentSurroundings } from "../admin/socket_path.ts";
import { loadConfig, readConfigFile } from "../config/load.ts";
import { permissionsFor } from "../daemon/permissions.ts";
import { EXIT } from "../errors.ts";
import { type CliContext, type Command, type ParsedArgs, textOption } from "./command.ts";

const USAGE = `lvsd permissions - what Deno has to allow for a config file, and no more

Usage: lvsd permissions FILE [--state FILE]

      --state FILE  as lvsd run will have it
  -h, --help        this text

One line of flags for deno run. A reload that brings another address needs more of them: start anew then.
Addresses of real servers that stand in the file by name are not known before: such a file takes --allow-net for all.

Exit codes: 0 done, 1 the file has mistakes, 2 usage, 3 it cannot be read.

Example:
  deno run --unstable-net $(lvsd permissions config.example.yaml) main.ts run -c config.example.yaml
`;

export const permissions: Command = {
  usage: USAGE,
  options: { state: { type: "string" } },
  positionals: { least: 1, most: 1 },
  run: printPermissions,
};

async function printPermissions(args: ParsedArgs, context: CliContext): Promise<number> {
  const [file = ""] = args.positionals;
  const variables = new Set<string>();
  const config = loadConfig(await readConfigFile(file), file, (name) => {
    variables.add(name);
    return context.env(name);
  });
  const flags = permissionsFor(config, {
    variables: [...variables],
    socketPath: controlSocketPlace({ ...currentSurroundings(), variable: context.env })?.path,
    stateFile: textOption(args, "state"),
    hasFfi: Deno.build.os === "linux",
  });
  context.stdout(`${flags.join(" ")}\n`);
  return EXIT.ok;
}
