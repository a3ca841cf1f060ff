/**
 * The closed set of errors that lvsd raises. A message says what failed, on what value, and what to do; `code` is
 * for programs; `fields` carry the values. Anything else that escapes is a defect and is reported as one.
 *
 * @module
 */

/** Exit codes of the `lvsd` command, documented in docs/exit-codes.md. */
export const EXIT = {
  ok: 0,
  /** The command ran and the answer is no: a config with mistakes, a check that failed. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** Something outside prevents it: a port in use, a missing permission, a daemon that does not answer. */
  unavailable: 3,
  /** A defect in lvsd. */
  defect: 70,
} as const;

/** Values named in an error, kept apart from the message so that a program can read them. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | null>>;

/** What every lvsd error has. */
export abstract class LvsdError extends Error {
  /** Stable, upper-case word for programs, e.g. `ADDRESS_IN_USE`. */
  readonly code: string;
  readonly fields: ErrorFields;
  abstract readonly exitCode: number;

  constructor(code: string, message: string, fields: ErrorFields = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.fields = fields;
    this.name = new.target.name;
  }
}

/** The command line is wrong: unknown option, missing argument, two options that exclude each other. */
export class UsageError extends LvsdError {
  override readonly exitCode: number = EXIT.usage;
}

/** One mistake in a config file; `line` and `column` start at 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the document, e.g. `services[0].scheduler`. */
  readonly path: string;
  readonly message: string;
}

/** A config that does not validate, with every mistake found. */
export class ConfigError extends LvsdError {
  override readonly exitCode: number = EXIT.failed;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map((it) => `${it.file}:${it.line}:${it.column}: ${it.message}`);
    super("CONFIG_INVALID", lines.join("\n"), { problems: problems.length });
    this.problems = problems;
  }
}

/** A value that does not parse: an address, a duration, a prefix. */
export class ValueError extends LvsdError {
  override readonly exitCode: number = EXIT.failed;
}

/** The director refuses a change, as the kernel would (`code` is the kernel's: EEXIST, ENOENT, ESRCH, ERANGE, EINVAL, ENOMEM). */
export class DirectorError extends LvsdError {
  override readonly exitCode: number = EXIT.failed;
}

/** The operating system refuses: port in use, address not ours, no permission, file unreadable, no descriptor left. */
export class SystemError extends LvsdError {
  override readonly exitCode: number = EXIT.unavailable;
}

/** The other side of a conversation breaks its rules: PROXY header, health check answer. */
export class ProtocolError extends LvsdError {
  override readonly exitCode: number = EXIT.failed;
}

/** A refusal of `lvsd ipvsadm` in the words and with the exit code of the real tool: 1, 2 or 255. */
export class ToolError extends LvsdError {
  override readonly exitCode: number;

  /** @param message as the tool prints it, without the line end */
  constructor(code: string, exitCode: number, message: string, fields: ErrorFields = {}) {
    super(code, message, fields);
    this.exitCode = exitCode;
  }
}

/**
 * The error of Deno's for an address that it does not allow; undefined where it does. node:net and node:dgram report it where
 * nobody can catch it, node:dns makes EPERM of it, and FFI goes around it: so they ask first.
 *
 * @param host `127.0.0.1:80`, `[::1]:80`, a name
 */
export function netRefusal(host: string): Error | undefined {
  if (Deno.permissions.querySync({ name: "net", host }).state === "granted") return undefined;
  return new Deno.errors.NotCapable(`Requires net access to "${host}", run again with the --allow-net flag`);
}

/**
 * What Deno refuses for want of a permission, as an error that names the flag; undefined for everything else.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const refused = new Deno.errors.NotCapable('Requires net access to "[::]:80", run again with the --allow-net flag');
 * assert.match(permissionError(refused)?.message ?? "", /^Deno does not allow net access to "\[::\]:80": start it with --allow-net/);
 * assert.equal(permissionError(new Error("no")), undefined);
 * ```
 */
export function permissionError(error: unknown): SystemError | undefined {
  if (!(error instanceof Deno.errors.NotCapable)) return undefined;
  const [, access = error.message, flag = "--allow-all"] =
    /^Requires (.*), run again with the (--[a-z-]+) flag/.exec(error.message) ?? [];
  return new SystemError(
    "PERMISSION_DENIED",
    `Deno does not allow ${access}: start it with ${flag} for that; lvsd permissions tells what a config needs`,
    { flag },
    error,
  );
}
