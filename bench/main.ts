/**
 * `deno task bench`: the same load on the same real server, straight and through lvsd, HAProxy, nginx and pen, side by side.
 * See docs/bench.md for how to read it.
 */
import { cpus, release } from "node:os";
import { EXIT, LvsdError } from "../errors.ts";
import { requirePeer } from "../tests/peers/required_peers.ts";
import { type BenchArguments, parseBenchArguments, USAGE } from "./arguments.ts";
import { measurePicks, PICK_EFFORT, picksTable } from "./picks.ts";
import { type FigureResult, figureTable, type Report, settingsText, summarise } from "./report.ts";
import { runRounds } from "./rounds.ts";
import { Topology } from "./topology.ts";

/** Conventional exit code of a program that SIGINT ended: 128 + 2. */
const INTERRUPTED = 130;
const ERASE_LINE = "\r\x1b[K";

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** A line that the next one overwrites; nothing where nobody watches. */
function showProgress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(ERASE_LINE + text));
}

async function bench(chosen: BenchArguments, signal: AbortSignal): Promise<void> {
  const header = {
    startedWall: new Date().toISOString(),
    machine: `${cpus()[0]?.model ?? Deno.build.arch}, ${cpus().length} cores, Linux ${release()}`,
    rounds: chosen.effort.rounds,
    threads: chosen.threads,
  };
  const traffic = chosen.figures.length === 0
    ? { servers: [], settings: [], figures: [] }
    : await benchTraffic(chosen, header, signal);
  signal.throwIfAborted();
  const picks = chosen.picks ? measurePicks({ ...PICK_EFFORT, rounds: chosen.effort.rounds }) : [];
  if (picks.length > 0) print(picksTable(picks));
  const report: Report = { ...header, ...traffic, picks };
  if (chosen.json !== undefined) {
    await Deno.writeTextFile(chosen.json, JSON.stringify(report, null, 2) + "\n");
  }
}

/** The figures that need clients and real servers. */
async function benchTraffic(
  { effort, figures, threads }: BenchArguments,
  header: Pick<Report, "startedWall" | "machine" | "rounds" | "threads">,
  signal: AbortSignal,
): Promise<Pick<Report, "servers" | "settings" | "figures">> {
  for (const { program } of figures) requirePeer(program);
  await using topology = await Topology.start(threads);
  signal.throwIfAborted();
  const { servers } = topology;
  const settings = topology.sides.map(({ name, version, settings }) => ({ name, version, settings }));
  print(`${settingsText({ ...header, servers, settings })}\n`);
  const results: FigureResult[] = [];
  for (const figure of figures) {
    const progress = (round: number, side: string) => {
      const stage = round === 0 ? "warming up" : `round ${round} of ${effort.rounds}`;
      showProgress(`${figure.name}: ${stage}, ${side}`);
    };
    const sides = topology.sides.filter(({ onlyFor }) => onlyFor?.includes(figure.name) ?? true);
    const runs = await runRounds(figure, sides, effort.rounds, progress, signal);
    showProgress("");
    const result = summarise(figure, runs);
    results.push(result);
    print(`${figureTable(result)}\n`);
  }
  return { servers, settings, figures: results };
}

async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, interrupt);
  try {
    const parsed = parseBenchArguments(args);
    if (parsed.help) print(USAGE);
    else await bench(parsed, stop.signal);
    return EXIT.ok;
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    if (!(error instanceof LvsdError)) throw error;
    print(`bench: ${error.message}\n`);
    return error.exitCode;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
