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
  for (const [connection, seconds] of theirs) {
    const own = mine.get(connection);
    if (own === undefined) return `there is no ${connection}`;
    if (Math.abs(own - seconds) > APART_SECONDS) {
      return `${connection} has ${own} s left, recorded ${seconds} s`;
    }
  }
  for (const connection of mine.keys()) if (!theirs.has(connection)) return `${connection} was not recorded`;
  return undefined;
}

/** Seconds left by the rest of the line. */
function readConnections(text: string): Map<string, number> {
  return new Map(
    text.split("\n").flatMap((line): [string, number][] => {
      const [, protocol, minutes, seconds, rest] = /^(\w+) +(\d+):(\d\d) +(.*)$/.exec(line) ?? [];
      if (rest === undefined) return [];
      return [[`${protocol} ${rest.trimEnd()}`, Number(minutes) * 60 + Number(seconds)]];
    }),
  );
}
