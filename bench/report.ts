/**
 * What a benchmark found, as a table for people and as JSON.
 */
import type { Figure } from "./figure.ts";
import { REFERENCE } from "./other_sides.ts";
import type { PickResult } from "./picks.ts";
import type { FigureRuns } from "./rounds.ts";
import type { Side } from "./side.ts";
import { pairRatios, type Spread, spread } from "./statistics.ts";

/** One side's line. */
export interface SideResult {
  readonly side: string;
  readonly values: readonly number[];
  readonly errors: number;
  readonly absolute: Spread;
  /** To the reference, round by round; `null` when no round gave a pair. */
  readonly ratio: Spread | null;
  /** Processor time for each unit, and that to the reference's; `null` where it was not measured. */
  readonly processor: { readonly absolute: Spread; readonly ratio: Spread | null } | null;
}

/** One figure's table. */
export interface FigureResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly better: Figure["better"];
  readonly client: string;
  readonly processorUnit: string;
  /** The side that all are divided by. */
  readonly reference: string;
  readonly sides: readonly SideResult[];
}

/** Everything; its JSON is what `--json` writes. */
export interface Report {
  readonly startedWall: string;
  readonly machine: string;
  readonly rounds: number;
  readonly threads: number;
  readonly servers: readonly string[];
  readonly settings: readonly Pick<Side, "name" | "version" | "settings">[];
  readonly figures: readonly FigureResult[];
  /** One line for each scheduler. */
  readonly picks: readonly PickResult[];
}

/** @param reference the side that all are divided by: HAProxy at its best if not given */
export function summarise(
  figure: Figure,
  runs: FigureRuns,
  reference = bestReference(runs, figure.better),
): FigureResult {
  const { name, title, unit, better, client, processorUnit } = figure;
  const divisor = runs.get(reference);
  const sides = [...runs].map(([side, { values, errors, processor }]) => ({
    side,
    values,
    errors,
    absolute: spread(values),
    ratio: ratioOf(values, divisor?.values),
    processor: processor === undefined
      ? null
      : { absolute: spread(processor), ratio: ratioOf(processor, divisor?.processor) },
  }));
  return { name, title, unit, better, client, processorUnit, reference, sides };
}

/** Whichever setting of HAProxy does best in this figure. */
function bestReference(runs: FigureRuns, better: Figure["better"]): string {
  const medians = [...runs]
    .filter(([side, { values }]) => side.startsWith(REFERENCE) && values.length > 0)
    .map(([side, { values }]) => ({ side, median: spread(values).median }))
    .sort((a, b) => a.median - b.median);
  return medians.at(better === "more" ? -1 : 0)?.side ?? REFERENCE;
}

function ratioOf(values: readonly number[], reference: readonly number[] = []): Spread | null {
  const ratios = pairRatios(values, reference);
  return ratios.length === 0 ? null : spread(ratios);
}

/** The table of one figure; columns are aligned with spaces, so it reads the same in a terminal and in a code block. */
export function figureTable(result: FigureResult): string {
  const { name, title, unit, better, client, processorUnit, reference, sides } = result;
  const hasProcessor = sides.some((it) => it.processor !== null);
  const rows = sides.map(({ side, absolute, ratio, errors, processor }) => [
    side,
    ...[absolute.median, absolute.lowest, absolute.highest].map(wholeNumber),
    ...[ratio?.median, ratio?.lowest, ratio?.highest].map((it) =>
      it === undefined ? "-" : `${it.toFixed(2)}x`
    ),
    `${errors}`,
    ...(hasProcessor ? processorCells(processor) : []),
  ]);
  const ratio = `to ${reference}`;
  const headings = [
    ...["", "median", "lowest", "highest", ratio, "lowest", "highest", "errors"],
    ...(hasProcessor ? [`CPU ${processorUnit}`, ratio] : []),
  ];
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const table = lines.map((line) =>
    line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)
    )
      .join("  ").trimEnd()
  );
  return [`${name}: ${title}, ${unit}, ${better} is better (${client})`, ...table, ""].join("\n");
}

function processorCells(processor: SideResult["processor"]): string[] {
  if (processor === null) return ["-", "-"];
  const { absolute, ratio } = processor;
  return [absolute.median.toFixed(1), ratio === null ? "-" : `${ratio.median.toFixed(2)}x`];
}

/** The settings of each side. */
export function settingsText(
  { machine, rounds, threads, servers, settings }: Omit<Report, "figures" | "picks">,
): string {
  const sides = settings.filter((side) => side.settings.length > 0).map(
    ({ name, version, settings }) =>
      [`${name}: ${version}`, ...settings.map((line) => `  ${line}`)].join("\n"),
  );
  return [
    machine,
    `${rounds} rounds, all sides in turn, after others to warm up; ${threads} thread(s) a side`,
    `real servers: ${servers.join("; ")}`,
    ...sides,
    "",
  ].join("\n");
}

/** 12345.6 as 12,346. */
function wholeNumber(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
