/**
 * Values from a config file as a message shows them: short, on one line, nothing that could steer a terminal.
 *
 * @module
 */

const SHOWN_CHARACTERS = 60;

/**
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(shown("wcl"), '"wcl"');
 * assert.equal(shown(8080), "8080");
 * assert.equal(shown("\x1b[2J"), '"\\u001b[2J"');
 * assert.equal(shown([1, 2]), "a list");
 * ```
 */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value !== "string") return String(value);
  const characters = [...value];
  const text = characters.length > SHOWN_CHARACTERS
    ? `${characters.slice(0, SHOWN_CHARACTERS).join("")}…`
    : value;
  return `"${visible(text.replace(/["\\]/g, "\\$&"))}"`;
}

/** Text with every invisible character (controls, bidirectional marks, lone surrogates) as `\u` escape. */
export function visible(text: string): string {
  return text.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (it) => `\\u${(it.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}
