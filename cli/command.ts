/**
 * What a subcommand is.
 *
 * @module
 */
import type { ParseArgsOptionsConfig } from "node:util";

/** The world a command runs in; passed in, so that a test can stand in for the terminal. */
export interface CliContext {
  /** Writes as it is, without adding a line end. */
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly env: (name: string) => string | undefined;
  /** All of standard input; absent where there is none. */
  readonly stdin?: () => Promise<string>;
  /** Shows a line on standard error that the next one overwrites; `""` takes it away. Absent where nobody watches. */
  readonly progress?: (text: string) => void;
  /** Colours and rewritten lines are for people only. */
  readonly isTerminal: boolean;
  /** Width of that terminal; absent where there is none. */
  readonly columns?: number;
}

/** A command line that was understood. */
export interface ParsedArgs {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
}

/** One subcommand of `lvsd`; its name and its line in the help stand in `commands.ts`. */
export interface Command {
  /** The whole help text, with an example. */
  readonly usage: string;
  /** As `node:util` parseArgs wants them; `--help` is added by the dispatcher. */
  readonly options: ParseArgsOptionsConfig;
  /** How many words without a dash it takes; none when absent. */
  readonly positionals?: { readonly least: number; readonly most: number };
  /** Words that mean nothing by themselves, as an arrow, and would be taken for options. */
  readonly fillers?: readonly string[];
  /** Everything behind the name is its own affair, `--help` too, and comes as positionals. */
  readonly takesWordsAsTheyAre?: true;
  /** @returns the exit code, see `EXIT` */
  run(args: ParsedArgs, context: CliContext): Promise<number>;
}

/** The text of a string option, undefined when it was not given. */
export function textOption(args: ParsedArgs, name: string): string | undefined {
  const value = args.values[name];
  return typeof value === "string" ? value : undefined;
}

/** All texts of an option that may be repeated. */
export function textOptions(args: ParsedArgs, name: string): readonly string[] {
  const value = args.values[name];
  return Array.isArray(value) ? value.filter((it) => typeof it === "string") : [];
}
