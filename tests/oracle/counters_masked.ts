/**
 * Compares listings of which the recorded one counts traffic that the replay has not seen.
 *
 * @module
 */

/** A row as what must be equal and what counts. */
interface Row {
  readonly text: string;
  readonly counters: readonly string[];
}

/** The first line that differs by more than the digits of counters that are not 0, undefined when there is none. */
export function firstOtherLine(own: string, recorded: string): string | undefined {
  const [mine, theirs] = [own.split("\n"), recorded.split("\n")];
  const isPersistence = recorded.includes(" PersistConn ");
  for (let i = 0; i < Math.max(mine.length, theirs.length); i++) {
    const [a, b] = [mine[i], theirs[i]];
    if (a === b) continue;
    if (a !== undefined && b !== undefined && isSameButCounters(a, b, isPersistence)) continue;
    return `line ${i + 1}: ${shown(a)}, recorded ${shown(b)}`;
  }
  return undefined;
}

function isSameButCounters(own: string, recorded: string, isPersistence: boolean): boolean {
  const [a, b] = [readRow(own, isPersistence), readRow(recorded, isPersistence)];
  return a !== undefined && b !== undefined && a.text === b.text &&
    a.counters.length === b.counters.length &&
    b.counters.every((counter, i) => isSameColumn(a.counters[i] ?? "", counter));
}

/** A number that is wider than its column pushes the ones behind it. What the recording has not counted, nobody may. */
function isSameColumn(own: string, recorded: string): boolean {
  if (isZero(recorded)) return own === recorded;
  return recorded.length === Math.max(own.length, recorded.trim().length + 1);
}

/**
 * Right-aligned numbers of `--stats` and of the kernel's own view, each with the blanks before it, or the left-aligned
 * connections of the other forms, with those behind.
 */
function readRow(line: string, isPersistence: boolean): Row | undefined {
  const [, text, numbers] = /^(.*?)((?: +[0-9A-F]+[KMGT]?){5})$/.exec(line) ?? [];
  if (text !== undefined) return { text: text.trimEnd(), counters: numbers?.match(/ +\S+/g) ?? [] };
  const left = isPersistence ? /^( {2}-> .* )(\d+ +\d+ +\d+ *)$/ : /^( {2}-> .* )(\d+ +\d+ *)$/;
  const [, head, counts] = left.exec(line) ?? [];
  return head === undefined ? undefined : { text: head, counters: counts?.match(/\d+ +/g) ?? [] };
}

function isZero(text: string): boolean {
  return text.trim() === "0";
}

function shown(line: string | undefined): string {
  return line === undefined ? "nothing" : JSON.stringify(line);
}
