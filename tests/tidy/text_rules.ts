/**
 * Rules about names, sizes and words: what can be seen without parsing.
 */
import { isCode, lineAt, type Problem, type ProjectFile } from "./project.ts";
import { isRoom, roomOf } from "./rooms.ts";

/** Lines of a file: above the first number it is listed, above the second it needs a reason. */
export const FILE_LINES = { listed: 150, refused: 400 } as const;

/** In one of the first lines of a long file, or in the line above a long function. */
export const LONG_REASON = /\/\/ Long because: \S/;
const REASON_WITHIN_LINES = 10;

// Put together from halves, so that this file does not find itself.
const UNFINISHED = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
const FOREIGN_WORDS: readonly string[] = [
  "/wor" + "k/",
  "shared/" + "oracle",
  "shared/" + "reference",
  "reference/" + "director.md",
  "reference/" + "schedulers.md",
  "reference/" + "ipvsadm.md",
  "reference/" + "healthchecks.md",
  "reference/" + "realserver.md",
  "shared/" + "design",
];
const VAGUE_NAMES: ReadonlySet<string> = new Set(
  ["util", "utils", "helper", "helpers", "common", "misc"],
);

type TextRule = (file: ProjectFile) => Iterable<{ line: number; message: string }>;

const RULES: Readonly<Record<string, TextRule>> = {
  *"file size"(file) {
    const lines = countLines(file.text);
    if (!isCode(file) || lines <= FILE_LINES.refused) return;
    const head = file.text.split("\n", REASON_WITHIN_LINES).join("\n");
    if (LONG_REASON.test(head)) return;
    yield {
      line: 1,
      message:
        `${lines} lines; split it, or say "// Long because: ..." in its first ${REASON_WITHIN_LINES} lines`,
    };
  },

  *"unfinished work"(file) {
    for (const [line, text] of lines(file.text)) {
      const word = UNFINISHED.exec(text)?.[1];
      if (word !== undefined) yield { line, message: `${word}: finish it, or file an issue` };
    }
  },

  *"vague name"({ path }) {
    const words = path.split(/[/_.-]/);
    const vague = words.find((word) => VAGUE_NAMES.has(word.toLowerCase()));
    if (vague !== undefined) yield { line: 1, message: `"${vague}" says nothing; name what is in it` };
  },

  *"file name"(file) {
    const name = file.path.split("/").at(-1) ?? "";
    if (!isCode(file) || /^[a-z0-9]+(_[a-z0-9]+)*\.ts$/.test(name)) return;
    yield { line: 1, message: `${name} is not snake_case.ts` };
  },

  *"unknown room"(file) {
    if (!isCode(file) || isRoom(roomOf(file.path))) return;
    yield { line: 1, message: `${roomOf(file.path)} is not a room of the house (tests/tidy/rooms.ts)` };
  },

  *"foreign place"(file) {
    for (const word of FOREIGN_WORDS) {
      for (let at = file.text.indexOf(word); at >= 0; at = file.text.indexOf(word, at + 1)) {
        yield { line: lineAt(file.text, at), message: `"${word}" is not part of the project` };
      }
    }
  },

  *"test place"(file) {
    if (!file.path.endsWith("_test.ts") || file.path.startsWith("tests/")) return;
    yield { line: 1, message: "tests live under tests/" };
  },
};

/** Names of the rules, for the test that plants a breach of each. */
export const TEXT_RULE_NAMES: readonly string[] = Object.keys(RULES);

export function checkText(file: ProjectFile): Problem[] {
  return Object.entries(RULES).flatMap(([rule, check]) =>
    [...check(file)].map((found) => ({ rule, path: file.path, ...found }))
  );
}

/** Files that are longer than most should be, longest first: for people to look at, not a breach. */
export function longFiles(files: readonly ProjectFile[]): { path: string; lines: number }[] {
  return files.filter(isCode)
    .map(({ path, text }) => ({ path, lines: countLines(text) }))
    .filter(({ lines }) => lines > FILE_LINES.listed)
    .sort((a, b) => b.lines - a.lines);
}

function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

function lines(text: string): [number, string][] {
  return text.split("\n").map((line, i) => [i + 1, line]);
}
