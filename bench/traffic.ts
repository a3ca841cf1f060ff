/**
 * The figures that need clients and real servers.
 */
import { requirePeer } from "../tests/peers/required_peers.ts";
import type { BenchArguments } from "./arguments.ts";
import type { Figure, RelativeFigure } from "./figure.ts";
import { REFERENCE } from "./other_sides.ts";
import { type FigureResult, figureTable, type Report, settingsText, summarise } from "./report.ts";
import { type FigureRuns, roundProgress, runFreshRounds, runRounds } from "./rounds.ts";
import { Topology } from "./topology.ts";

/** Where the bench shows what it does. */
export interface BenchScreen {
  readonly print: (text: string) => void;
  /** A line that the next one overwrites. */
  readonly showProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Measures the chosen figures, and prints each as soon as it is known. */
export async function benchTraffic(
  chosen: BenchArguments,
  header: Pick<Report, "startedWall" | "machine" | "rounds" | "threads">,
  screen: BenchScreen,
): Promise<Pick<Report, "servers" | "settings" | "figures">> {
  for (const { program } of chosen.figures) if (program !== undefined) requirePeer(program);
  await using topology = await Topology.start(chosen.threads);
  screen.signal.throwIfAborted();
  const { servers } = topology;
  const settings = topology.sides.map(({ name, version, settings }) => ({ name, version, settings }));
  screen.print(`${settingsText({ ...header, servers, settings })}\n`);
  const figures: FigureResult[] = [];
  for (const wished of chosen.figures) {
    const figure = await prepared(wished, topology, screen.signal);
    const result = summarise(figure, await run(figure, topology, chosen, screen));
    screen.showProgress("");
    figures.push(result);
    screen.print(`${figureTable(result)}\n`);
  }
  return { servers, settings, figures };
}

async function prepared(
  figure: Figure | RelativeFigure,
  { sides }: Topology,
  signal: AbortSignal,
): Promise<Figure> {
  if (!("prepare" in figure)) return figure;
  const reference = sides.find(({ name }) => name === REFERENCE);
  if (reference === undefined) throw new Error(`there is no side ${REFERENCE} to fix the load by`);
  return await figure.prepare(reference, signal);
}

function run(
  figure: Figure,
  topology: Topology,
  { threads, effort }: BenchArguments,
  { showProgress, signal }: BenchScreen,
): Promise<FigureRuns> {
  const { rounds } = effort;
  const control = { progress: roundProgress(figure.name, rounds, showProgress), signal };
  return figure.isFresh
    ? runFreshRounds(figure, () => Topology.start(threads), rounds, control)
    : runRounds(figure, topology.sides, effort, control);
}
