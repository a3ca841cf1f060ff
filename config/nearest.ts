/**
 * The name that a mistyped one most likely stands for.
 *
 * @module
 */
import { distance } from "fastest-levenshtein";

/**
 * The nearest of `allowed`, or `undefined` when none is near: at most two edits, or a third of the word for long ones;
 * a word that only lacks its end (`warn` for `warning`) counts as near too.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(nearest("wcl", ["rr", "wrr", "lc", "wlc", "sh"]), "wlc");
 * assert.equal(nearest("Listen", ["listen", "name"]), "listen");
 * assert.equal(nearest("colour", ["listen", "name"]), undefined);
 * ```
 */
export function nearest(word: string, allowed: Iterable<string>): string | undefined {
  const typed = word.toLowerCase();
  let best: { name: string; rank: number } | undefined;
  for (const name of allowed) {
    const rank = rankOf(typed, name.toLowerCase());
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { name, rank };
  }
  return best?.name;
}

/** `; did you mean "wlc"?`, or nothing. */
export function suggestion(word: string, allowed: Iterable<string>): string {
  const name = nearest(word, allowed);
  return name === undefined ? "" : `; did you mean "${name}"?`;
}

/** Smaller is nearer. Swapped letters are two edits to Levenshtein but the most common typo, so they win a tie. */
function rankOf(typed: string, name: string): number | undefined {
  const edits = distance(typed, name);
  if (edits === 0) return 0;
  // One edit in a word of two letters can be any word.
  const tolerated = Math.min(
    Math.max(2, Math.floor(name.length / 3)),
    Math.max(typed.length, name.length) - 1,
  );
  const isCutOff = typed.length >= 3 && (name.startsWith(typed) || typed.startsWith(name)) &&
    name.length >= 3;
  if (edits > tolerated && !isCutOff) return undefined;
  return letters(typed) === letters(name) ? edits - 1.5 : edits;
}

function letters(word: string): string {
  return [...word].sort().join("");
}
