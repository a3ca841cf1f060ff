/**
 * `deno task oracle DIR`: replays recordings of a real kernel director and says whether this one decides alike.
 *
 * @module
 */
import { replayAll, type Tally } from "../tests/oracle/oracle.ts";

if (import.meta.main) {
  Deno.exitCode = await main(
    Deno.args,
    (line) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`)),
  );
}

/** Exit code: 0 when there were recordings and all came out equal, 1 when not, 2 for a wrong command line. */
export async function main(args: readonly string[], print: (line: string) => void): Promise<number> {
  const [directory] = args;
  if (directory === undefined || args.length > 1) {
    print("usage: deno task oracle DIR");
    return 2;
  }
  const tallies = await tally(directory, print);
  const width = Math.max(0, ...tallies.map(({ name }) => name.length));
  for (const { name, equal, total, steps, firstDifference } of tallies) {
    print(`${name.padEnd(width)}  ${equal}/${total}  (${steps} steps compared)`);
    if (firstDifference !== undefined) print(`  first difference: ${firstDifference}`);
  }
  const sum = (of: (tally: Tally) => number) => tallies.reduce((all, it) => all + of(it), 0);
  const [equal, total] = [sum((it) => it.equal), sum((it) => it.total)];
  print(`total ${equal}/${total}`);
  return equal === total && total > 0 ? 0 : 1;
}

async function tally(directory: string, print: (line: string) => void): Promise<Tally[]> {
  try {
    return await replayAll(directory);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
    print(`${directory}: not a folder that can be read; name one with recordings in it`);
    return [];
  }
}
