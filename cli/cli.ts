/**
 * From the words of a command line to a command and its exit code.
 *
 * @module
 */
import { EXIT, LvsdError, permissionError, UsageError } from "../errors.ts";
import { suggestion } from "../config/nearest.ts";
import type { CliContext, Command, ParsedArgs } from "./command.ts";
import { COMMANDS, type ListedCommand } from "./commands.ts";
import { parseOptions } from "./options.ts";
import { counted } from "./table.ts";
import { versionLine } from "./version.ts";

const HELP_WORDS: readonly string[] = ["help", "--help", "-h"];
/** What they name cannot be "". */
const FILE_OPTIONS: readonly string[] = ["config", "state", "output", "socket"];
const VERSION_WORDS: readonly string[] = ["version", "--version", "-v"];

/**
 * Runs one command line.
 *
 * @param words the arguments without the program's name
 * @returns the exit code; a mistake of the user's is told in words on stderr, never as a stack trace
 */
export async function runCommandLine(words: readonly string[], context: CliContext): Promise<number> {
  try {
    return await dispatch(words, context);
  } catch (thrown) {
    const error = permissionError(thrown) ?? thrown;
    if (error instanceof LvsdError) {
      context.stderr(`lvsd: ${error.message}\n`);
      if (error instanceof UsageError) context.stderr(`Try: lvsd ${helpOf(words)}--help\n`);
      return error.exitCode;
    }
    context.stderr(
      `lvsd: a defect in lvsd, please report it:\n${error instanceof Error ? error.stack : error}\n`,
    );
    return EXIT.defect;
  }
}

async function dispatch(words: readonly string[], context: CliContext): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || HELP_WORDS.includes(name)) {
    const [about] = rest;
    const isGeneral = about === undefined || HELP_WORDS.includes(about) || VERSION_WORDS.includes(about);
    context.stdout(isGeneral ? overview() : (await commandOf(about).load()).usage);
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  if (VERSION_WORDS.includes(name)) {
    context.stdout(`${await versionLine(context.env("LVSD_BUILD"))}\n`);
    return EXIT.ok;
  }
  const command = await commandOf(name).load();
  if (command.takesWordsAsTheyAre) return await command.run({ values: {}, positionals: rest }, context);
  if (rest.includes("--help") || rest.includes("-h")) {
    context.stdout(command.usage);
    return EXIT.ok;
  }
  return await command.run(parse(name, command, rest), context);
}

/** @throws {UsageError} `UNKNOWN_COMMAND` */
function commandOf(name: string): ListedCommand {
  const command = COMMANDS.find((it) => it.name === name);
  if (command !== undefined) return command;
  if (name.startsWith("-")) {
    const hint = suggestion(name, ["--help", "--version"]);
    throw new UsageError(
      "UNKNOWN_COMMAND",
      `"${name}" stands where the command should; write lvsd COMMAND [OPTIONS]${hint}`,
      { value: name },
    );
  }
  const names = COMMANDS.map((it) => it.name);
  throw new UsageError(
    "UNKNOWN_COMMAND",
    `no command "${name}"; there are ${names.join(", ")}${suggestion(name, names)}`,
    { value: name },
  );
}

function parse(name: string, command: Command, words: readonly string[]): ParsedArgs {
  const { least, most } = command.positionals ?? { least: 0, most: 0 };
  const parsed = parseOptions(
    words.filter((it) => !command.fillers?.includes(it)),
    command.options,
    `${name}: `,
  );
  // `-c "$FILE"` of a variable that is not set.
  const empty = FILE_OPTIONS.find((it) => parsed.values[it] === "");
  if (empty !== undefined) {
    throw new UsageError("BAD_OPTION", `${name}: --${empty} is empty; name a file`, { option: empty });
  }
  const count = parsed.positionals.length;
  if (count < least || count > most) {
    const wanted = most === 0
      ? "no arguments"
      : least === most
      ? counted(least, "argument")
      : `${least} to ${most} arguments`;
    const given = count === 0 ? "none" : `${count}: ${parsed.positionals.join(" ")}`;
    const [, form = ""] = /^Usage: (.*)/m.exec(command.usage) ?? [];
    throw new UsageError(
      "BAD_ARGUMENTS",
      `${name} takes ${wanted}, got ${given}; write ${form}`,
      {
        command: name,
        count,
      },
    );
  }
  return parsed;
}

/** `demo ` when the words begin with a command. */
function helpOf([name]: readonly string[]): string {
  return COMMANDS.some((it) => it.name === name) ? `${name} ` : "";
}

function overview(): string {
  const width = Math.max(...COMMANDS.map((it) => it.name.length));
  const lines = COMMANDS.map((it) => `  ${it.name.padEnd(width)}  ${it.summary}`);
  return `lvsd - Linux Virtual Server in user space: a TCP/UDP load balancer

Usage: lvsd COMMAND [OPTIONS]

${lines.join("\n")}

  lvsd COMMAND --help tells more, with an example; lvsd --version the version.

Examples:
  lvsd demo
  lvsd run -c config.example.yaml
  lvsd run --tcp :8080 --to 127.0.0.1:3001,127.0.0.1:3002@3 -s wlc
`;
}
