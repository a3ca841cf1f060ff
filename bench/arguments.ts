/**
 * The command line of `deno task bench`.
 */
import { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { PICKS } from "./picks.ts";
import type { Figure, RelativeFigure } from "./figure.ts";
import { type Effort, figures, FULL, SHORT } from "./figures.ts";

export const USAGE =
  `usage: deno task bench [--short] [--rounds N] [--threads N] [--json FILE] [--svg FILE] [FIGURE...]
  FIGURE       ${[...figures(FULL).map(({ name }) => name), PICKS].join(", ")} (default: all)
  --short      ten minutes in place of an hour; the ratios scatter more
  --rounds N   measured runs of each side
  --threads N  of each side that can have more than one (default 1)
  --json FILE  writes every run to FILE
  --svg FILE   writes the ratios to FILE as a picture
`;

/** What to do. */
export interface BenchArguments {
  readonly help: boolean;
  readonly effort: Effort;
  readonly figures: readonly (Figure | RelativeFigure)[];
  /** Of each side that can have more than one. */
  readonly threads: number;
  /** Whether the schedulers' decisions are measured too. */
  readonly picks: boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

/** @throws {UsageError} for what the usage does not name */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parse(args);
  const plan = values.short === true ? SHORT : FULL;
  const rounds = wholeNumber("rounds", values.rounds, plan.rounds, 100);
  const threads = wholeNumber("threads", values.threads, 1, LIMITS.workers);
  const effort = { ...plan, rounds };
  const all = figures(effort);
  const names = [...all.map(({ name }) => name), PICKS];
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new UsageError("FIGURE_UNKNOWN", `there is no figure "${unknown}"; there are ${names.join(", ")}`);
  }
  const isChosen = (name: string) => positionals.length === 0 || positionals.includes(name);
  return {
    help: values.help === true,
    effort,
    figures: all.filter(({ name }) => isChosen(name)),
    threads,
    picks: isChosen(PICKS),
    json: values.json,
    svg: values.svg,
  };
}

function wholeNumber(name: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new UsageError("OPTION_INVALID", `--${name} "${text}" is not a whole number from 1 to ${most}`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        short: { type: "boolean" },
        rounds: { type: "string" },
        threads: { type: "string" },
        json: { type: "string" },
        svg: { type: "string" },
      },
    });
  } catch (error) {
    throw new UsageError("OPTION_UNKNOWN", error instanceof Error ? error.message : String(error));
  }
}
