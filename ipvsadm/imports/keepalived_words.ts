/**
 * The words of a line of keepalived.conf: quotes, escapes, comments.
 *
 * @module
 */

/** A brace, a word out of quoted and plain pieces, or a comment to the end of the line. */
const PIECE = /([{}])|((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\$\{\w+\}|[^\s{}"'!#])+)|([!#].*)/g;
/** keepalived.conf(5), "Quoted strings"; any other letter stands for itself. */
const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  E: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/**
 * Words and braces; `!` and `#` begin a comment wherever they stand outside quotes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(wordsOf(`url { regex "\\"status\\": 1" # all`), ["url", "{", "regex", '"status": 1']);
 * assert.deepEqual(wordsOf("weight 3#heavy"), ["weight", "3"]);
 * ```
 */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const [, brace, word, comment] of text.matchAll(PIECE)) {
    if (comment !== undefined) break;
    words.push(brace ?? unquoted(word ?? ""));
  }
  return words;
}

/** A script with its parameters: blanks divide them, and a parameter with blanks in it stands in quotes. */
export function scriptWords(text: string): string[] {
  return [...text.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replace(/['"]/g, ""));
}

function unquoted(word: string): string {
  return word.replace(
    /"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'/g,
    (_, double: string | undefined, single: string | undefined) =>
      (double ?? single ?? "").replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter),
  );
}
