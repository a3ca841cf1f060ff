/**
 * Replays every recording below a folder and adds up how many came out as the kernel had it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { parseCase, readCapture } from "./capture_recording.ts";
import { replayCapture } from "./capture_replay.ts";
import { parseRecording } from "./recording.ts";
import { type Outcome, replayScheduler } from "./scheduler_replay.ts";
import { replayStates } from "./state_replay.ts";
import { replayTool } from "./tool_replay.ts";
import type { WorldOptions } from "./world.ts";

/** The recordings of one scheduler, or of one set of packet sequences. */
export interface Tally {
  readonly name: string;
  equal: number;
  total: number;
  /** Events or packets that were compared. */
  steps: number;
  firstDifference?: string;
}

/** Group of what cannot be replayed. */
const UNREADABLE = "unreadable";

/**
 * Replays all files below `directory`.
 *
 * @param progress told before each what is replayed
 */
export async function replayAll(
  directory: string,
  options: WorldOptions = {},
  progress: (done: number, total: number, what: string) => void = () => {},
): Promise<Tally[]> {
  const tallies = new Map<string, Tally>();
  const paths = await filesBelow(directory);
  const cases = await findCases(paths);
  const files = paths.filter((it) => !cases.some((one) => dirname(it) === one.directory));
  const total = cases.length + files.length;
  for (const [i, { directory: folder, recorded }] of cases.entries()) {
    progress(i, total, folder);
    add(tallies, await replayCase(folder, recorded));
  }
  for (const [i, path] of files.entries()) {
    progress(cases.length + i, total, path);
    for (const [name, outcome] of await replayFile(path, options)) count(tallies, name, outcome);
  }
  return [...tallies.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

async function replayFile(path: string, options: WorldOptions): Promise<[name: string, outcome: Outcome][]> {
  let recording;
  try {
    recording = parseRecording(path, await Deno.readTextFile(path));
  } catch (error) {
    // Whatever keeps a file from being read: its content, a permission, a link that leads nowhere.
    return [[UNREADABLE, { steps: 0, difference: messageOf(path, error) }]];
  }
  if (recording.kind === "scheduler") {
    const { scheduler } = recording.scenario;
    return [[scheduler, await guarded(path, () => replayScheduler(recording, options))]];
  }
  if (recording.kind === "tool") {
    try {
      return await replayTool(path, recording.lines);
    } catch (error) {
      return [[UNREADABLE, { steps: 0, difference: messageOf(path, error) }]];
    }
  }
  const outcomes: [string, Outcome][] = [];
  for (const sequence of recording.sequences) {
    const place = `${path}:${sequence.line}`;
    outcomes.push([sequence.set, await guarded(place, () => replayStates(path, sequence, options))]);
  }
  return outcomes;
}

type RecordedCase = NonNullable<ReturnType<typeof parseCase>>;

/** Folders that hold a capture; every file in one belongs to it. */
async function findCases(
  paths: readonly string[],
): Promise<{ readonly directory: string; readonly recorded: RecordedCase }[]> {
  const cases: { directory: string; recorded: RecordedCase }[] = [];
  for (const path of paths.filter((it) => it.endsWith(".json"))) {
    try {
      const recorded = parseCase(await Deno.readTextFile(path));
      if (recorded !== undefined) cases.push({ directory: dirname(path), recorded });
    } catch (error) {
      // What cannot be read is told of when it is replayed as any other file.
      if (!(error instanceof Deno.errors.NotFound)) continue;
    }
  }
  return cases;
}

/** Counts packets, not cases: a capture is equal when all of them are. */
async function replayCase(directory: string, recorded: RecordedCase): Promise<Tally> {
  const name = `capture ${recorded.case}`;
  try {
    const { equal, total, received, difference } = await replayCapture(
      await readCapture(directory, recorded),
    );
    const tally = { name, equal, total, steps: received };
    return difference === undefined ? tally : { ...tally, firstDifference: difference };
  } catch (error) {
    return { name, equal: 0, total: 1, steps: 0, firstDifference: messageOf(directory, error) };
  }
}

/** A replay that breaks is a difference, and no reason to skip the other recordings. */
async function guarded(place: string, replay: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await replay();
  } catch (error) {
    return { steps: 0, difference: messageOf(place, error) };
  }
}

function messageOf(place: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.includes(place) ? message : `${place}: ${message}`;
}

function count(tallies: Map<string, Tally>, name: string, { steps, difference }: Outcome): void {
  const tally = tallies.get(name) ?? { name, equal: 0, total: 0, steps: 0 };
  tallies.set(name, tally);
  tally.total++;
  tally.steps += steps;
  if (difference === undefined) tally.equal++;
  else tally.firstDifference ??= difference;
}

/** Two folders may hold takes of one case. */
function add(tallies: Map<string, Tally>, tally: Tally): void {
  const known = tallies.get(tally.name);
  if (known === undefined) {
    tallies.set(tally.name, tally);
    return;
  }
  known.equal += tally.equal;
  known.total += tally.total;
  known.steps += tally.steps;
  if (tally.firstDifference !== undefined) known.firstDifference ??= tally.firstDifference;
}

/** Paths of all files, sorted; `path` itself when it is a file. */
async function filesBelow(path: string): Promise<string[]> {
  if (!(await Deno.stat(path)).isDirectory) return [path];
  const paths: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    const below = join(path, entry.name);
    if (entry.isDirectory) paths.push(...await filesBelow(below));
    else paths.push(below);
  }
  return paths.sort();
}
