/**
 * `deno task bench`: the same load on the same real server, straight and through lvsd, HAProxy, nginx and pen, side by side.
 * See docs/bench.md for how to read it.
 */
import { cpus, release } from "node:os";
import { EXIT, LvsdError } from "../errors.ts";
import { type BenchArguments, parseBenchArguments, USAGE } from "./arguments.ts";
import { chart } from "./chart.ts";
import { measurePicks, PICK_EFFORT, picksTable } from "./picks.ts";
import type { Report } from "./report.ts";
import { benchTraffic } from "./traffic.ts";

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
    : await benchTraffic(chosen, header, { print, showProgress, signal });
  signal.throwIfAborted();
  const picks = chosen.picks ? measurePicks({ ...PICK_EFFORT, rounds: chosen.effort.rounds }) : [];
  if (picks.length > 0) print(picksTable(picks));
  const report: Report = { ...header, ...traffic, picks };
  if (chosen.json !== undefined) {
    await Deno.writeTextFile(chosen.json, JSON.stringify(report, null, 2) + "\n");
  }
  if (chosen.svg !== undefined) await Deno.writeTextFile(chosen.svg, chart(report));
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
