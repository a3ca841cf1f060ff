/**
 * What the programs of the bench and of scripts/ have in common: a usage text, mistakes told in one line, Ctrl-C, and a progress line.
 */
import { EXIT, LvsdError, UsageError } from "../errors.ts";

/** One of `deno task`. */
export interface Task {
  /** As in deno.json. */
  readonly name: string;
  readonly usage: string;
  /** @returns the exit code */
  readonly run: (args: readonly string[], signal: AbortSignal) => Promise<number>;
  /** Those of the arguments that are not another program's; all, if absent. */
  readonly ownWords?: (args: readonly string[]) => readonly string[];
  /** It listens to SIGINT and SIGTERM itself, and the signal is never aborted. */
  readonly ownSignals?: boolean;
}

/** Conventional exit code of a program that SIGINT ended: 128 + 2. */
const INTERRUPTED = 130;
const ERASE_LINE = "\r\x1b[K";

/** Runs it to its exit code, as in docs/exit-codes.md; SIGINT and SIGTERM abort the signal. */
export async function runTask(
  { name, usage, run, ownSignals, ownWords = (all) => all }: Task,
  args: readonly string[],
): Promise<number> {
  if (ownWords(args).some((it) => it === "--help" || it === "-h")) {
    print(usage);
    return EXIT.ok;
  }
  const stop = new AbortController();
  for (const signal of ownSignals === true ? [] : ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  try {
    return await run(args, stop.signal);
  } catch (error) {
    showProgress("");
    if (stop.signal.aborted) return INTERRUPTED;
    if (!(error instanceof LvsdError)) throw error;
    const help = error instanceof UsageError ? `Try: deno task ${name} --help\n` : "";
    write(Deno.stderr, `${name}: ${error.message}\n${help}`);
    return error.exitCode;
  }
}

export function print(text: string): void {
  write(Deno.stdout, text);
}

/** Takes the progress line away first. */
export function printLine(text: string): void {
  showProgress("");
  print(`${text}\n`);
}

/** A line that the next one overwrites; `""` takes it away. Nothing where nobody watches. */
export function showProgress(text: string): void {
  if (Deno.stderr.isTerminal()) write(Deno.stderr, ERASE_LINE + text);
}

function write(output: { writeSync(bytes: Uint8Array): number }, text: string): void {
  output.writeSync(new TextEncoder().encode(text));
}
