/**
 * From the text of a config file to a YAML document, with messages for people who do not know the YAML specification.
 *
 * @module
 */
import { type Document, Lexer, LineCounter, parseDocument, visit, type YAMLError } from "yaml";
import { LIMITS } from "../limits.ts";

/** A mistake at a place in the text. */
export interface SyntaxMistake {
  readonly offset: number;
  readonly message: string;
}

/** What came of the text. `document` is only worth reading when there are no mistakes. */
export interface ParsedYaml {
  readonly document: Document.Parsed | undefined;
  readonly lines: LineCounter;
  readonly mistakes: readonly SyntaxMistake[];
}

/** Parses one document. Duplicate keys are left to the reader, who knows where the first one is. */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const excess = findExcess(text);
  if (excess !== undefined) {
    addLineStarts(lines, text, excess.offset);
    return { document: undefined, lines, mistakes: [excess] };
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const mistakes: SyntaxMistake[] = [];
  // In YAML 1.1 `off` is a boolean and 12:30 a number.
  if (document.directives.yaml.version !== "1.2") {
    mistakes.push({ offset: 0, message: "a config file is YAML 1.2; take the %YAML line out" });
  }
  let lastLine = 0;
  for (const error of [...document.errors, ...document.warnings]) {
    const { line } = lines.linePos(error.pos[0]);
    // What follows on the same line is nearly always the same mistake seen again.
    if (line === lastLine) continue;
    lastLine = line;
    mistakes.push({ offset: startOf(error, document), message: explain(error, lineOf(text, error.pos[0])) });
  }
  return { document, lines, mistakes };
}

/**
 * Refuses what would cost the parser gigabytes or its stack, before it starts: 8 MiB of `[` end a process.
 */
function findExcess(text: string): SyntaxMistake | undefined {
  let count = 0;
  let depth = 0;
  let marksInRow = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === "[" || lexeme === "{") depth++;
    else if (lexeme === "]" || lexeme === "}") depth = Math.max(0, depth - 1);
    // `- - - -` nests without a line end.
    if (lexeme === "-" || lexeme === "?") marksInRow++;
    else if (lexeme.trim() !== "" || lexeme.includes("\n")) marksInRow = 0;
    if (depth + marksInRow > LIMITS.configDepth) {
      return { offset, message: `nested more than ${LIMITS.configDepth} deep` };
    }
    if (++count > LIMITS.configLexemes) {
      return { offset, message: `the file is too large: more than ${LIMITS.configLexemes} words and marks` };
    }
    // The lexer announces scalars and documents with single control characters that are not in the text.
    if (!LEXER_SIGNALS.has(lexeme)) offset += lexeme.length;
  }
  return undefined;
}

/** BOM, document, flow error end and scalar signals of the lexer. */
const LEXER_SIGNALS: ReadonlySet<string> = new Set(["\u0002", "\u0018", "\u001f"]);

function addLineStarts(lines: LineCounter, text: string, until: number): void {
  lines.addNewLine(0);
  for (let at = text.indexOf("\n"); at >= 0 && at < until; at = text.indexOf("\n", at + 1)) {
    lines.addNewLine(at + 1);
  }
}

/** The parser misses a closing quote at the end of the file; people look for the opening one. */
function startOf(error: YAMLError, document: Document.Parsed): number {
  let start = error.pos[0];
  if (!/^Missing closing/.test(error.message)) return start;
  visit(document, {
    Scalar(_key, { type, range }) {
      const isQuoted = type === "QUOTE_DOUBLE" || type === "QUOTE_SINGLE";
      if (isQuoted && range && range[0] < error.pos[0] && range[1] >= error.pos[0] - 1) start = range[0];
    },
  });
  return start;
}

function lineOf(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", Math.max(0, offset - 1)) + 1;
  const end = text.indexOf("\n", offset);
  return text.slice(start, end < 0 ? undefined : end);
}

const KEY_ALONE = 'no ": " (a colon and a space) after the key on this line';

/** Messages by the parser's own code; the rest is told in the parser's words. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "a tab in the indentation; YAML allows spaces only",
  MULTIPLE_DOCS: "a second document begins here (---); a config file has one",
  MULTILINE_IMPLICIT_KEY: KEY_ALONE,
  BLOCK_AS_IMPLICIT_KEY:
    'two times ": " on one line, or a wrong indentation; text that has ": " in it needs quotes',
  RESOURCE_EXHAUSTION: "nested too deeply",
  BAD_DIRECTIVE: "a line that begins with % is a YAML directive; text that begins with % needs quotes",
};

function explain(error: YAMLError, line: string): string {
  const ipv6 = /\[[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*\](:\d+)?/.exec(line)?.[0];
  const isAboutBrackets = error.code === "UNEXPECTED_TOKEN" || error.code === "MISSING_CHAR";
  if (isAboutBrackets && ipv6 !== undefined && !/["']\[/.test(line)) {
    return `[ begins a list in YAML; put the address in quotes: "${ipv6}"`;
  }
  if (isAboutBrackets && /[[{].*\$\{/.test(line)) {
    return 'a variable inside [ ] or { } needs quotes: "${NAME}"';
  }
  const known = EXPLANATIONS[error.code];
  if (known !== undefined) return known;
  const text = error.message;
  if (/^Flow (sequence|map)/.test(text)) {
    const [what, mark] = text.startsWith("Flow seq") ? ["list", "]"] : ["mapping", "}"];
    return `a ${what} in brackets is not closed before this line; a ${mark} is missing`;
  }
  if (/^Missing closing/.test(text)) {
    return `text in quotes is not closed; a ${text.includes('"') ? '"' : "'"} is missing`;
  }
  if (/^Implicit map keys need/.test(text)) return KEY_ALONE;
  if (/flow-(seq|map)-end token/.test(text)) return `a ${text.includes("seq") ? "]" : "}"} too many`;
  if (/must start at the same column|without - indicator/.test(text)) {
    return "wrong indentation: not in line with what is before it";
  }
  if (error.code === "TAG_RESOLVE_FAILED") {
    return `YAML tags are not supported: ${/!\S+/.exec(line)?.[0] ?? text}`;
  }
  if (error.code === "UNEXPECTED_TOKEN" && /scalar at node end/.test(text)) {
    return "unexpected text after the end of a value; text with quotes or brackets in it needs quotes around all of it";
  }
  if (error.code === "BAD_SCALAR_START") {
    return `${text.slice(0, 1).toLowerCase()}${text.slice(1)}; put it in quotes`;
  }
  return `not valid YAML: ${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
}
