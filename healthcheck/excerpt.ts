/**
 * The beginning of an answer, made fit for one line of status or log.
 *
 * @module
 */

/** Characters shown, as they are written: enough for a status line or an error message. */
const SHOWN = 80;

/**
 * Quotes the first characters; control characters, which could forge a line of the log, come out escaped.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(excerpt("no\n\x1b[31m"), String.raw`"no\n\u001b[31m"`);
 * assert.equal(excerpt("x".repeat(100)), `"${"x".repeat(80)}..."`);
 * ```
 */
export function excerpt(answer: Uint8Array | string): string {
  const text = typeof answer === "string" ? answer : new TextDecoder().decode(answer.subarray(0, SHOWN * 4));
  let shown = "";
  for (const character of text) {
    const written = escaped(character);
    if (shown.length + written.length > SHOWN) return `"${shown}..."`;
    shown += written;
  }
  return `"${shown}"`;
}

function escaped(character: string): string {
  // JSON leaves DEL and the C1 controls as they are, and terminals obey those too.
  if (character < "\x7f" || character > "\x9f") return JSON.stringify(character).slice(1, -1);
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
