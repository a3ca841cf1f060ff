/**
 * Compares what `ipvsadm -L` says during a capture: states, counters and statistics to the letter, connections as a set (their
 * order is that of a hash with a random seed) with the time left to the second.
 *
 * @module
 */

/** A connection list. */
const CONNECTIONS = /^IPVS connection entries\n/;
/** The kernel truncates its ticks, the tool was run a moment before its step was written down. */
const APART_SECONDS = 2;
/**
 * With so much left an entry may be gone or still there: a second for the same reason, and the kernel's timer wheel fires
 * up to an eighth of a timer's length late.
 */
const DUE_SECONDS = 1;

/** The first difference, undefined when there is none. */
export function compareListing(ours: string, recorded: string): string | undefined {
  if (CONNECTIONS.test(recorded)) return compareConnections(ours, recorded);
  const [mine, theirs] = [ours.split("\n"), recorded.split("\n")];
  const line = theirs.findIndex((it, i) => it !== mine[i]);
  if (line < 0 && mine.length === theirs.length) return undefined;
  const at = line < 0 ? theirs.length : line;
  return `line ${at + 1} is ${JSON.stringify(mine[at])}, recorded ${JSON.stringify(theirs[at])}`;
}

function compareConnections(ours: string, recorded: string): string | undefined {
  const [mine, theirs] = [readConnections(ours), readConnections(recorded)];
  for (const [connection, times] of theirs) {
    const own = mine.get(connection) ?? [];
    // The others are gone already, or begun anew as a template is that still has connections.
    const lasting = times.filter((it) => it > DUE_SECONDS);
    const paired = own.slice(own.length - lasting.length);
    if (own.length < lasting.length) return `there is no ${connection}`;
    for (const [i, seconds] of lasting.entries()) {
      if (Math.abs((paired[i] ?? 0) - seconds) > APART_SECONDS) {
        return `${connection} has ${paired[i]} s left, recorded ${seconds} s`;
      }
    }
  }
  for (const [connection, times] of mine) {
    const surplus = times.length - (theirs.get(connection)?.length ?? 0);
    if (surplus > 0 && (times[surplus - 1] ?? 0) > DUE_SECONDS) return `${connection} was not recorded`;
  }
  return undefined;
}

/** A template, whose client has no port: those of a persistence engine differ in nothing shown. */
const TEMPLATE = /^\w+ \w+ +\S+:0 /;

/** Seconds left, in ascending order, by the rest of the line. A long listing may show a connection twice: it is read in parts. */
function readConnections(text: string): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const line of text.split("\n")) {
    const [, protocol, minutes, seconds, rest] = /^(\w+) +(\d+):(\d\d) +(.*)$/.exec(line) ?? [];
    if (rest === undefined) continue;
    const connection = `${protocol} ${rest.trimEnd()}`;
    const left = Number(minutes) * 60 + Number(seconds);
    const others = TEMPLATE.test(connection) ? times.get(connection) ?? [] : [];
    times.set(connection, [...others, left].sort((a, b) => a - b));
  }
  return times;
}
