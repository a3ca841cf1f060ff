/**
 * Loading a config file.
 *
 * @module
 */
import { ConfigError, type ConfigProblem, SystemError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { DocumentReader } from "./document.ts";
import type { Environment } from "./env.ts";
import type { Mistake } from "./mistakes.ts";
import type { Config } from "./model.ts";
import { formatPath, type Path, type Position, Positions } from "./positions.ts";
import { visible } from "./shown.ts";
import { validate } from "./validate.ts";
import { parseYaml } from "./yaml_syntax.ts";

/**
 * Reads a configuration from YAML text. An empty text is a valid configuration without services.
 *
 * @param file name for messages, and for `Config.file`
 * @param env values for `${NAME}`
 * @throws {ConfigError} with every mistake, in order of line and column. Mistakes of YAML itself come alone, because
 * what follows from broken YAML is guesswork.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const config = loadConfig("services: [{listen: :8080, destinations: [10.0.0.1@3]}]", "lvsd.yaml", () => undefined);
 * assert.equal(config.services[0]?.destinations[0]?.weight, 3);
 *
 * assert.throws(
 *   () => loadConfig("services: [{listen: :80, scheduler: wcl}]", "lvsd.yaml", () => undefined),
 *   /lvsd.yaml:1:37: unknown scheduler "wcl"; allowed: .* did you mean "wlc"\?/,
 * );
 * ```
 */
export function loadConfig(text: string, file: string, env: Environment): Config {
  const { document, lines, mistakes } = parseYaml(text);
  if (document === undefined || mistakes.length > 0) {
    const nowhere = new Positions({ key: 0, value: 0, children: new Map() }, lines);
    throw problemsError(
      mistakes.map(({ offset, message }) => ({ ...nowhere.at(offset), path: [], message })),
      file,
    );
  }
  const reader = new DocumentReader(document, env);
  const { value, place } = reader.read();
  const positions = new Positions(place, lines);
  const found: Located[] = reader.mistakes.map(({ offset, other, path, message }) => ({
    ...positions.at(offset),
    path,
    message: other === undefined ? message : `${message}; the first is on line ${positions.at(other).line}`,
  }));
  // An empty file is an empty mapping; `null` written out is a value like any other.
  const validated = validate(value === null || value === undefined ? {} : value, file);
  if ("config" in validated && found.length === 0) return validated.config;
  if ("mistakes" in validated) found.push(...validated.mistakes.map((it) => locate(it, positions)));
  throw problemsError(found, file);
}

/**
 * Text of a config file.
 *
 * @throws {SystemError} `FILE_NOT_FOUND`, `FILE_NOT_READABLE`, `FILE_TOO_LARGE`
 * @throws {ConfigError} when it is not UTF-8 text
 */
export async function readConfigFile(path: string): Promise<string> {
  const bytes = await readBounded(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const hint = bytes[0] === 0xff || bytes[0] === 0xfe ? ", but looks like UTF-16; save it as UTF-8" : "";
    const message = `the file is not UTF-8 text${hint}`;
    throw new ConfigError([{ file: path, ...firstBadByte(bytes), path: "", message }]);
  }
}

/** Reads to the end, whatever the file claims its size to be: a pipe and /dev/stdin claim 0. */
async function readBounded(path: string): Promise<Uint8Array> {
  const buffer = new Uint8Array(64 * 1_024);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    using file = await Deno.open(path);
    for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
      size += count;
      if (size > LIMITS.configFileBytes) break;
      chunks.push(buffer.slice(0, count));
    }
  } catch (error) {
    throw fileUnreadable(path, error);
  }
  if (size > LIMITS.configFileBytes) {
    throw new SystemError(
      "FILE_TOO_LARGE",
      `${visible(path)} is larger than ${LIMITS.configFileBytes / 2 ** 20} MiB; is it a config file?`,
      { path },
    );
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Why a file that the user named cannot be read: `FILE_NOT_FOUND`, `FILE_NOT_READABLE`. */
export function fileUnreadable(path: string, error: unknown): SystemError {
  const name = visible(path);
  if (error instanceof Deno.errors.NotFound) {
    return new SystemError("FILE_NOT_FOUND", `there is no file ${name}`, { path }, error);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new SystemError("FILE_NOT_READABLE", `no permission to read ${name}`, { path }, error);
  }
  const reason = error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/, "") : String(error);
  return new SystemError("FILE_NOT_READABLE", `${name} cannot be read: ${reason}`, { path }, error);
}

function firstBadByte(bytes: Uint8Array): Position {
  // Without `fatal` the decoder puts U+FFFD where the text breaks off.
  const before = new TextDecoder("utf-8").decode(bytes).split("\ufffd", 1)[0] ?? "";
  const lines = before.split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

interface Located extends Position {
  readonly path: Path;
  readonly message: string;
}

function locate({ path, part, message, other }: Mistake, positions: Positions): Located {
  const written = positions.written(path);
  const origin = written === undefined ? "" : ` (the file has ${visible(written)})`;
  const elsewhere = other === undefined ? "" : `; see line ${positions.find(other, "key").line}`;
  return { ...positions.find(path, part), path, message: `${message}${origin}${elsewhere}` };
}

function problemsError(found: readonly Located[], file: string): ConfigError {
  // An alias shows one mistake at several paths.
  const distinct = new Map(found.map((it) => [`${it.line}:${it.column}:${it.message}`, it]));
  const sorted = [...distinct.values()].sort((a, b) => a.line - b.line || a.column - b.column);
  const reported = sorted.slice(0, LIMITS.configMistakes);
  const problems: ConfigProblem[] = reported.map(({ line, column, path, message }) => ({
    file,
    line,
    column,
    path: visible(formatPath(path)),
    message: visible(message),
  }));
  const last = reported.at(-1);
  if (last !== undefined && sorted.length > reported.length) {
    const message = `and ${sorted.length - reported.length} more mistakes after this line`;
    problems.push({ file, line: last.line, column: last.column, path: "", message });
  }
  return new ConfigError(problems);
}
