/**
 * Text for a terminal: aligned columns, quantities that can be read, nothing that a terminal obeys.
 *
 * @module
 */

/**
 * Replaces control characters, so that what a real server answered cannot move the cursor or change the title.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(printable("502\u001b[2J\n"), "502\\x1b[2J\\x0a");
 * ```
 */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** A copy of plain JSON with every text in it, keys included, made {@linkcode printable}. */
export function printableAll<T>(value: T): T {
  const copy = (part: unknown): unknown => {
    if (typeof part === "string") return printable(part);
    if (Array.isArray(part)) return part.map(copy);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, it]) => [printable(key), copy(it)]));
  };
  return copy(value) as T;
}

/** One cell; `paint` wraps the text in colour after its width was measured. */
export interface Cell {
  readonly text: string;
  readonly alignRight?: boolean;
  readonly paint?: (text: string) => string;
}

/** Lines with columns as wide as their widest cell and two spaces between; the last column ends where it ends. */
export function alignColumns(rows: readonly (readonly Cell[])[]): string[] {
  const widths = columnWidths(rows.map((row) => row.map(({ text }) => text)));
  return rows.map((row) => row.map((cell, i) => pad(cell, widths[i] ?? 0, i === row.length - 1)).join("  "));
}

function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((text, i) => widths[i] = Math.max(widths[i] ?? 0, text.length));
  return widths;
}

function pad({ text, alignRight, paint }: Cell, width: number, isLast: boolean): string {
  const painted = paint === undefined ? text : paint(text);
  const space = " ".repeat(width - text.length);
  if (alignRight === true) return space + painted;
  return isLast ? painted : painted + space;
}

/** Width below which a column is not broken any further: few words are longer. */
const NARROWEST_COLUMN = 12;

/**
 * Rows of texts for a terminal so wide: columns that would go beyond it are broken between words, the widest first.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const rows = [["reply path", "straight to the client"], ["MTU", "0"]];
 * assert.deepEqual(wrapColumns(rows, 30), [
 *   "reply path  straight to the",
 *   "            client",
 *   "MTU         0",
 * ]);
 * ```
 */
export function wrapColumns(rows: readonly (readonly string[])[], columns: number): string[] {
  const widths = columnWidths(rows);
  while (widths.reduce((sum, width) => sum + width + 2, -2) > columns) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST_COLUMN) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  const lines = rows.flatMap((row) => {
    const broken = row.map((text, i) => breakWords(text, widths[i] ?? 0));
    const height = Math.max(...broken.map((it) => it.length));
    return Array.from({ length: height }, (_, line) => broken.map((it) => ({ text: it[line] ?? "" })));
  });
  return alignColumns(lines).map((it) => it.trimEnd());
}

/** Lines of at most so many characters, but for a word that is longer. */
function breakWords(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** `1 service`, `3 services`. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** `512 B`, `1.5 KiB`, `20 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** The two largest units: `12s`, `3m 4s`, `5h 0m`, `2d 7h`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h ${Math.floor(whole % 3_600 / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor(whole % 86_400 / 3_600)}h`;
}
