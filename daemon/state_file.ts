/**
 * The file of `--state`: what ipvsadm made, as commands that make it again, so that it outlives a restart.
 *
 * Its first line has a digest of the rest: a file that was cut off or edited by accident is reported, not guessed at.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { LIMITS } from "../limits.ts";
import { SystemError } from "../errors.ts";

const TITLE = "# lvsd state 1";

/** The file's text for these commands, one a line. */
export function stateText(commands: readonly string[]): string {
  const body = commands.map((it) => `${it}\n`).join("");
  return `${TITLE} sha256 ${digest(body)}\n${body}`;
}

/**
 * The commands of a file's text.
 *
 * @throws {SystemError} `STATE_DAMAGED`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const text = stateText(["-A -t 10.0.0.1:80 -s wlc"]);
 * assert.deepEqual(commandsOf(text, "state"), ["-A -t 10.0.0.1:80 -s wlc"]);
 * assert.throws(() => commandsOf(text.slice(0, -1), "state"), { code: "STATE_DAMAGED" });
 * ```
 */
export function commandsOf(text: string, path: string): string[] {
  const end = text.indexOf("\n") + 1;
  const [, wanted] = /^# lvsd state 1 sha256 ([0-9a-f]{64})\n$/.exec(text.slice(0, end)) ?? [];
  if (wanted === undefined) throw damaged(path, `its first line is not "${TITLE} sha256 ..."`);
  const body = text.slice(end);
  if (digest(body) !== wanted) throw damaged(path, "its content is not what was written");
  return body.split("\n").filter((line) => line !== "");
}

/**
 * Reads the file; a missing one has no commands.
 *
 * @throws {SystemError} `STATE_DAMAGED`, `STATE_UNREADABLE`
 */
export async function readState(path: string): Promise<string[]> {
  let text: string;
  try {
    const { size } = await Deno.stat(path);
    if (size > LIMITS.stateFileBytes) throw damaged(path, `${size} bytes are too many`);
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    if (error instanceof SystemError) throw error;
    throw new SystemError(
      "STATE_UNREADABLE",
      `the state file ${path} cannot be read: ${messageOf(error)}`,
      { path },
      error,
    );
  }
  return commandsOf(text, path);
}

/**
 * Tries at the start what the first command would need: the folder is there, and a file can be put into it.
 *
 * @throws {SystemError} `STATE_UNWRITABLE`
 */
export async function assertStateWritable(path: string): Promise<void> {
  const fresh = `${path}~`;
  try {
    if ((await Deno.stat(path).catch(ignoreMissing))?.isDirectory) throw new Error("it is a folder");
    (await Deno.open(fresh, { write: true, create: true, mode: 0o600 })).close();
    await Deno.remove(fresh);
  } catch (error) {
    const folder = dirname(path);
    const what = error instanceof Deno.errors.NotFound
      ? `there is no folder ${folder}; make it: mkdir -p ${folder}`
      : `${messageOf(error)}; give it a file in a folder that you may write`;
    throw new SystemError(
      "STATE_UNWRITABLE",
      `the state file ${path} cannot be written: ${what}`,
      { path },
      error,
    );
  }
}

/**
 * Replaces the file as a whole: whoever looks, and whatever happens meanwhile, sees the old one or the new one.
 *
 * @throws {SystemError} `STATE_UNWRITABLE`
 */
export async function writeState(path: string, commands: readonly string[]): Promise<void> {
  const fresh = `${path}~`;
  try {
    {
      using file = await Deno.open(fresh, { write: true, create: true, truncate: true, mode: 0o600 });
      const bytes = new TextEncoder().encode(stateText(commands));
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    }
    await Deno.rename(fresh, path);
    // The name itself must reach the disk too.
    using folder = await Deno.open(dirname(path));
    await folder.sync();
  } catch (error) {
    throw new SystemError(
      "STATE_UNWRITABLE",
      `the state file ${path} cannot be written: ${messageOf(error)}`,
      { path },
      error,
    );
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function damaged(path: string, why: string): SystemError {
  return new SystemError(
    "STATE_DAMAGED",
    `the state file ${path} is damaged: ${why}; restore it from a backup, or move it away to start without it`,
    { path },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
