/**
 * What the simulator's commands read: a script from a file or standard input, and a config.
 *
 * @module
 */
import { fileUnreadable, loadConfig, readConfigFile } from "../config/load.ts";
import type { Config } from "../config/model.ts";
import { LIMITS } from "../limits.ts";
import { SystemError } from "../errors.ts";
import type { Script } from "../simulator/script.ts";
import { readScript } from "../simulator/script_reader.ts";
import { type CliContext, type ParsedArgs, textOption } from "./command.ts";

/**
 * @param file `-` reads standard input
 * @throws {SystemError} `FILE_NOT_FOUND`, `FILE_NOT_READABLE`, `FILE_TOO_LARGE`
 * @throws {ConfigError} every mistake of the script
 */
export async function readScriptFile(file: string): Promise<Script> {
  const isInput = file === "-";
  return readScript(isInput ? await readInput() : await readText(file), isInput ? "standard input" : file);
}

/** The config that `-c` names; undefined without it. */
export async function readConfigOption(args: ParsedArgs, context: CliContext): Promise<Config | undefined> {
  const file = textOption(args, "config");
  return file === undefined ? undefined : loadConfig(await readConfigFile(file), file, context.env);
}

/**
 * For the `progress` of a simulation, where somebody watches.
 *
 * @param total lines to be played
 */
export function playProgress(total: number, context: CliContext): { progress?: (lines: number) => void } {
  const { progress } = context;
  if (progress === undefined) return {};
  return {
    progress: (lines) => progress(`${lines} of ${total} lines played (${Math.floor(100 * lines / total)}%)`),
  };
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await Deno.stat(file);
    if (size > LIMITS.scriptFileBytes) throw tooLarge(file);
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof SystemError) throw error;
    throw fileUnreadable(file, error);
  }
}

async function readInput(): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of Deno.stdin.readable) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > LIMITS.scriptFileBytes) throw tooLarge("standard input");
  }
  return text;
}

function tooLarge(file: string): SystemError {
  const limit = LIMITS.scriptFileBytes;
  return new SystemError("FILE_TOO_LARGE", `${file} is larger than ${limit} bytes; is it a script?`, {
    file,
    limit,
  });
}
