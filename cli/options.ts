/**
 * The options of a command line, and one-line answers to what is wrong with them. The tasks in bench/ and scripts/ read
 * theirs with it too.
 *
 * @module
 */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { suggestion } from "../config/nearest.ts";
import { UsageError, ValueError } from "../errors.ts";

type Parsed<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options; allowPositionals: true }>
>;

/**
 * Reads options and words without a dash.
 *
 * @param prefix what a message begins with, such as `demo: `
 * @throws {UsageError} `BAD_OPTION` unknown option, missing or superfluous value
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const options = { rounds: { type: "string" }, short: { type: "boolean" } } as const;
 * assert.equal(parseOptions(["--rounds", "3"], options).values.rounds, "3");
 * assert.throws(() => parseOptions(["--round"], options), { message: 'unknown option "--round"; did you mean "--rounds"?' });
 * assert.throws(() => parseOptions(["--rounds"], options), { message: "--rounds needs a value" });
 * ```
 */
export function parseOptions<const Options extends ParseArgsOptionsConfig>(
  words: readonly string[],
  options: Options,
  prefix = "",
): Parsed<Options> {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new UsageError("BAD_OPTION", `${prefix}${problemOf(what, options)}`);
  }
}

/**
 * The value of an option by a reader such as `parseEndpoint`: what it refuses is a mistake on the command line.
 *
 * @throws {UsageError} `OPTION_INVALID` with the name of the option and the reader's words
 */
export function optionValue<T>(option: string, text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError("OPTION_INVALID", `${option}: ${error.message}`, { option, value: text }, error);
  }
}

/**
 * @param option as in `--rounds`
 * @throws {UsageError} `OPTION_INVALID` no whole number from `least` to `most`
 */
export function wholeNumberOption(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(
    "OPTION_INVALID",
    `${option} "${text}" is not a whole number from ${least} to ${most}`,
    {
      option,
      value: text,
    },
  );
}

/** The one of `names` that `text` is. @throws {UsageError} `NAME_UNKNOWN`, with the nearest name */
export function knownName<Name extends string>(what: string, text: string, names: readonly Name[]): Name {
  const name = names.find((it) => it === text);
  if (name !== undefined) return name;
  throw new UsageError(
    "NAME_UNKNOWN",
    `there is no ${what} "${text}"; there are ${names.join(", ")}${suggestion(text, names)}`,
    { value: text },
  );
}

/** What parseArgs found, in one line; its own words come in up to three, with an example of its own. */
function problemOf(what: string, options: ParseArgsOptionsConfig): string {
  const [, unknown] = /^Unknown option '([^'=]+)/.exec(what) ?? [];
  if (unknown !== undefined) {
    // Any letter is one edit away from any other.
    const names = unknown.startsWith("--") ? [...Object.keys(options), "help"].map((it) => `--${it}`) : [];
    return `unknown option "${unknown}"${suggestion(unknown, names)}`;
  }
  // `'-c, --config <value>' argument missing`
  const [, shown = "", problem = ""] = /^Option '([^']+)' (.*)/.exec(what) ?? [];
  const option = shown.split(/[ ,]/).findLast((it) => it.startsWith("-")) ?? shown;
  if (problem.startsWith("argument is ambiguous")) {
    return `${option} needs a value; one that begins with a dash is written ${option}=-VALUE`;
  }
  if (problem.startsWith("argument missing")) return `${option} needs a value`;
  if (problem.startsWith("does not take an argument")) return `${option} takes no value`;
  return what.split("\n")[0] ?? "";
}
