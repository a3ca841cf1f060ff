/**
 * `deno task oracle DIR`: replays recordings of a real kernel director and says whether this one decides alike.
 *
 * @module
 */
import { printLine, runTask, showProgress } from "../bench/task.ts";
import { parseOptions } from "../cli/options.ts";
import { SystemError, UsageError } from "../errors.ts";
import { replayAll, type Tally } from "../tests/oracle/oracle.ts";

const USAGE = `usage: deno task oracle DIR
  DIR         recordings: scheduler traffic, TCP packets, ipvsadm commands, captures; or one file
  -h, --help  this text

Exit codes: 0 all came out equal, 1 not, 2 usage, 3 DIR cannot be read.

Example:
  deno task oracle tests/fixtures/schedulers
`;

if (import.meta.main) {
  Deno.exitCode = await runTask({
    name: "oracle",
    usage: USAGE,
    run: (args) => main(args, printLine, showProgress),
  }, Deno.args);
}

/**
 * Exit code: 0 when there were recordings and all came out equal, 1 when not.
 *
 * @throws {UsageError} a wrong command line
 * @throws {SystemError} `FILE_NOT_FOUND`
 */
export async function main(
  args: readonly string[],
  print: (line: string) => void,
  show: (progress: string) => void = () => {},
): Promise<number> {
  const [directory, ...more] = parseOptions(args, {}).positionals;
  if (directory === undefined || more.length > 0) {
    throw new UsageError(
      "BAD_ARGUMENTS",
      `takes one DIR, got ${args.length === 0 ? "none" : args.join(" ")}`,
    );
  }
  const tallies = await tally(directory, show);
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

async function tally(directory: string, show: (progress: string) => void): Promise<Tally[]> {
  try {
    return await replayAll(directory, {}, (done, total, what) => show(`${done} of ${total}: ${what}`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
    throw new SystemError("FILE_NOT_FOUND", `there is no ${directory}; name a folder with recordings`, {
      directory,
    }, error);
  }
}
