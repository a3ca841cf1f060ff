/**
 * The command line of `deno task bench`.
 */
import { knownName, parseOptions, wholeNumberOption } from "../cli/options.ts";
import { LIMITS } from "../limits.ts";
import { PICKS } from "./picks.ts";
import type { Effort, Figure, RelativeFigure } from "./figure.ts";
import { figures, FULL, SHORT } from "./figures.ts";

export const USAGE =
  `usage: deno task bench [--short] [--rounds N] [--threads N] [--json FILE] [--svg FILE] [FIGURE...]
  FIGURE       ${[...figures(FULL).map(({ name }) => name), PICKS].join(", ")} (default: all)
  --short      ten minutes in place of an hour; the ratios scatter more
  --rounds N   measured runs of each side (default ${FULL.rounds}, with --short ${SHORT.rounds}; at most 100)
  --threads N  of each side that can have more than one (default 1)
  --json FILE  writes every run to FILE
  --svg FILE   writes the ratios to FILE as a picture
  -h, --help   this text

Example:
  deno task bench --short connections latency-p99
`;

/** What to do. */
export interface BenchArguments {
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
  const { values, positionals } = parseOptions(args, {
    short: { type: "boolean" },
    rounds: { type: "string" },
    threads: { type: "string" },
    json: { type: "string" },
    svg: { type: "string" },
  });
  const plan = values.short === true ? SHORT : FULL;
  const rounds = wholeNumberOption("--rounds", values.rounds ?? `${plan.rounds}`, 1, 100);
  const threads = wholeNumberOption("--threads", values.threads ?? "1", 1, LIMITS.workers);
  const effort = { ...plan, rounds };
  const all = figures(effort);
  const names = [...all.map(({ name }) => name), PICKS];
  for (const it of positionals) knownName("figure", it, names);
  const isChosen = (name: string) => positionals.length === 0 || positionals.includes(name);
  return {
    effort,
    figures: all.filter(({ name }) => isChosen(name)),
    threads,
    picks: isChosen(PICKS),
    json: values.json,
    svg: values.svg,
  };
}
