/**
 * The command line of `deno task bench`.
 */
import { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";
import { PICKS } from "./picks.ts";
import { type Effort, type Figure, figures, FULL, SHORT } from "./figures.ts";

export const USAGE = `usage: deno task bench [--short] [--rounds N] [--json FILE] [FIGURE...]
  FIGURE       ${[...figures(FULL).map(({ name }) => name), PICKS].join(", ")} (default: all)
  --short      one minute in place of five; the ratios scatter more
  --rounds N   measured runs of each side
  --json FILE  writes every run to FILE
`;

/** What to do. */
export interface BenchArguments {
  readonly help: boolean;
  readonly effort: Effort;
  readonly figures: readonly Figure[];
  /** Whether the schedulers' decisions are measured too. */
  readonly picks: boolean;
  readonly json: string | undefined;
}

/** @throws {UsageError} for what the usage does not name */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parse(args);
  const plan = values.short === true ? SHORT : FULL;
  const rounds = values.rounds === undefined ? plan.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new UsageError("OPTION_INVALID", `--rounds "${values.rounds}" is not a whole number from 1 to 100`);
  }
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
    picks: isChosen(PICKS),
    json: values.json,
  };
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
        json: { type: "string" },
      },
    });
  } catch (error) {
    throw new UsageError("OPTION_UNKNOWN", error instanceof Error ? error.message : String(error));
  }
}
