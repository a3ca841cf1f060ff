/**
 * Reads a traffic script: one step in a line.
 *
 * @module
 */
import type { ConfigError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Expectation, Script, ScriptLine } from "./script.ts";
import { LineWords } from "./line_words.ts";
import { readStep } from "./step_reader.ts";
import { LineMistake, scriptError, tokensOf } from "./tokens.ts";

/** What a line may begin with besides a verb. */
const CLOCK = "clock";
const SEED = "seed";

/**
 * Reads a whole script.
 *
 * @param file its name for messages
 * @throws {ConfigError} every mistake with `file:line:column`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const script = readScript("open 192.0.2.7:40000 -> web => 10.1.0.1:80\nwait 2s\n", "busy.lvs");
 * assert.deepEqual(script.lines.map((it) => it.step.verb), ["open", "wait"]);
 * assert.throws(() => readScript("opne 192.0.2.7:40000 -> web\n", "busy.lvs"), /busy.lvs:1:1: .*did you mean "open"/);
 * ```
 */
export function readScript(text: string, file: string): Script {
  const lines: ScriptLine[] = [];
  const mistakes: { line: number; mistake: LineMistake }[] = [];
  const settings = { recordedClock: false, seed: 1 };
  text.split(/\r?\n/).forEach((content, i) => {
    if (mistakes.length >= LIMITS.configMistakes) return;
    try {
      const line = readLine(content, i + 1, settings);
      if (line === undefined) return;
      refuseGoingBack(lines.at(-1), line);
      lines.push(line);
    } catch (error) {
      if (!(error instanceof LineMistake)) throw error;
      mistakes.push({ line: i + 1, mistake: error });
    }
  });
  if (mistakes.length > 0) throw failure(file, mistakes);
  return { file, ...settings, lines };
}

function failure(file: string, mistakes: readonly { line: number; mistake: LineMistake }[]): ConfigError {
  return scriptError(file, mistakes);
}

function readLine(
  content: string,
  line: number,
  settings: { recordedClock: boolean; seed: number },
): ScriptLine | undefined {
  const words = new LineWords(tokensOf(content));
  if (words.isDone) return undefined;
  if (words.skip(CLOCK)) {
    settings.recordedClock = words.choice("clock", ["recorded", "running"]) === "recorded";
    words.end();
    return undefined;
  }
  if (words.skip(SEED)) {
    settings.seed = words.number("seed", 2 ** 32 - 1);
    words.end();
    return undefined;
  }
  const atMs = readTime(words);
  const step = readStep(words);
  const expected = readExpectation(words);
  words.end();
  return {
    line,
    step,
    ...(atMs === undefined ? {} : { atMs }),
    ...(expected === undefined ? {} : { expected }),
  };
}

function readTime(words: LineWords): number | undefined {
  if (!words.peek()?.startsWith("@")) return undefined;
  const column = words.column;
  const word = words.take("time");
  const [, number, unit] = /^@(\d+(?:\.\d+)?(?:e-\d+)?)(ms|s)$/.exec(word) ?? [];
  if (number === undefined) {
    throw new LineMistake(column, `"${word}" is no time since the start; write @1.5s or @1500ms`);
  }
  return Number(number) * (unit === "s" ? 1_000 : 1);
}

function readExpectation(words: LineWords): Expectation | undefined {
  if (!words.skip("=>")) return undefined;
  if (!/^[a-z-]+$/.test(words.peek() ?? "")) return { destination: words.endpoint("destination") };
  return { refusal: words.take("refusal") };
}

function refuseGoingBack(before: ScriptLine | undefined, line: ScriptLine): void {
  if (line.atMs === undefined || before?.atMs === undefined || line.atMs >= before.atMs) return;
  throw new LineMistake(1, `time goes back: line ${before.line} is at ${before.atMs / 1_000} s`);
}
