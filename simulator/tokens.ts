/**
 * The words of one line of a script, each with its column.
 *
 * @module
 */
import { ConfigError } from "../errors.ts";

/** A word, `->`, or `=>`. */
export interface Token {
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

/** A mistake in a line; the reader of the script adds file and line. */
export class LineMistake extends Error {
  readonly column: number;

  constructor(column: number, message: string) {
    super(message);
    this.column = column;
  }
}

/** Splits a line at spaces. A word in double quotes may have spaces in it; `#` begins a comment. */
export function tokensOf(line: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:(#.*)|("(?:[^"\\]|\\.)*")|(\S+))/y;
  while (pattern.lastIndex < line.length) {
    const start = pattern.lastIndex;
    const found = pattern.exec(line);
    if (found === null || found[1] !== undefined) break;
    const [whole, , quoted, bare] = found;
    const raw = quoted ?? bare ?? "";
    const column = start + whole.length - raw.length + 1;
    if (quoted === undefined && raw.startsWith('"')) throw new LineMistake(column, "this quote has no end");
    tokens.push({ text: quoted === undefined ? raw : unquote(quoted, column), column });
  }
  return tokens;
}

/** A word as {@linkcode tokensOf} reads it back. */
export function quoteWord(word: string): string {
  return /^[^\s"#]+$/.test(word) && word !== "->" && word !== "=>" ? word : JSON.stringify(word);
}

/** All mistakes of a script as the error that its user sees. */
export function scriptError(
  file: string,
  mistakes: readonly { line: number; mistake: LineMistake }[],
): ConfigError {
  return new ConfigError(
    mistakes.map(({ line, mistake }) => ({
      file,
      line,
      column: mistake.column,
      path: "",
      message: mistake.message,
    })),
  );
}

function unquote(quoted: string, column: number): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    throw new LineMistake(column, `${quoted} is no quoted word; write it as in JSON`);
  }
}
