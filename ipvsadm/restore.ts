/**
 * Standard input of `-R`, as lines of words.
 *
 * @module
 */

/**
 * Words are divided by blanks, there are no quotes, and the word `ipvsadm` counts nowhere. Lines without a word are
 * left out. Comments are not known: the script ipvsadm-restore takes them out first.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual([...readRestored("ipvsadm -A -t 10.0.0.1:80\r\n\n -C ")], [["-A", "-t", "10.0.0.1:80"], ["-C"]]);
 * ```
 */
export function* readRestored(text: string): Generator<string[]> {
  for (const line of text.split("\n")) {
    // The tool's own blanks: space, tab, carriage return and zero.
    const words = line.split(/[ \t\r\0]+/).filter((word) => word !== "" && word !== "ipvsadm");
    if (words.length > 0) yield words;
  }
}
