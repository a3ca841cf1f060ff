/**
 * `deno task bench`: the same load on the same real server, straight and through lvsd, HAProxy, nginx, pen and a bare loop, side by side.
 * See docs/bench.md for how to read it.
 */
import { cpus, release } from "node:os";
import { EXIT } from "../errors.ts";
import { type BenchArguments, parseBenchArguments, USAGE } from "./arguments.ts";
import { chart } from "./chart.ts";
import { measurePicks, PICK_EFFORT, picksTable } from "./picks.ts";
import type { Report } from "./report.ts";
import { print, runTask, showProgress } from "./task.ts";
import { benchTraffic } from "./traffic.ts";

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

if (import.meta.main) {
  const run = async (args: readonly string[], signal: AbortSignal) => {
    await bench(parseBenchArguments(args), signal);
    return EXIT.ok;
  };
  Deno.exit(await runTask({ name: "bench", usage: USAGE, run }, Deno.args));
}
