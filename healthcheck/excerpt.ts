/**
 * The beginning of an answer, made fit for one line of status or log.
 *
 * @module
 */

/** Characters shown: enough for a status line or an error message. */
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
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
  // JSON leaves DEL and the C1 controls as they are, and terminals obey those too.
  return JSON.stringify(shown).replace(
    /[\x7f-\x9f]/g,
    (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
