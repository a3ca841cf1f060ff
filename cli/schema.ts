/**
 * `lvsd schema`: the JSON Schema of a config file, for editors.
 *
 * @module
 */
import { configJsonSchema } from "../config/schema.ts";
import { EXIT } from "../errors.ts";
import type { CliContext, Command, ParsedArgs } from "./command.ts";

const USAGE = `lvsd schema - the JSON Schema of a config file, for editors

Usage: lvsd schema

  -h, --help  this text

Exit codes: 0 printed, 2 usage.

Example:
  lvsd schema > lvsd.schema.json      # then, first line of the config:
                                      # yaml-language-server: $schema=lvsd.schema.json
`;

export const schema: Command = {
  usage: USAGE,
  options: {},
  run: printSchema,
};

function printSchema(_args: ParsedArgs, context: CliContext): Promise<number> {
  context.stdout(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  return Promise.resolve(EXIT.ok);
}
