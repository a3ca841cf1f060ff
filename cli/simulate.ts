/**
 * `lvsd simulate`: a traffic script over a config, with a clock of its own, and each decision.
 *
 * @module
 */
import { EXIT } from "../errors.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { findScheduler } from "../schedulers/registry.ts";
import { type Outcome, Simulation } from "../simulator/simulation.ts";
import type { Command } from "./command.ts";
import { playProgress, readConfigOption, readScriptFile } from "./simulator_files.ts";
import { alignColumns, counted, printable } from "./table.ts";

export const simulate: Command = {
  usage: `lvsd simulate - play a traffic script and print each decision

Usage: lvsd simulate FILE [-c CONFIG] [--json]

The script (see docs/simulate.md) opens and closes connections, changes weights, adds and deletes real
servers and waits; time is simulated. Services come from CONFIG, from the script, or from both. A line that
ends in "=> 10.1.0.2:80" or "=> refused" says what is expected. FILE - reads standard input.

  -c, --config FILE  services to begin with; every real server is up, rules and sorry servers are left out
      --json         a line for each decision: {"line", "seconds", "service", "client", "answer",
                     "isNew", "expected", "asExpected", "before": [...]}
  -h, --help         this text

Exit codes: 0 played, 1 a decision was not the expected one, or the script has a mistake; 2 usage, 3 a file cannot be read.

Example:
  printf 'open 192.0.2.1:1000 -> :8080\\nopen 192.0.2.2:1000 -> :8080\\n' | lvsd simulate - -c config.example.yaml
`,
  options: { config: { type: "string", short: "c" }, json: { type: "boolean" } },
  positionals: { least: 1, most: 1 },

  async run(args, context) {
    const script = await readScriptFile(args.positionals[0] ?? "");
    const config = await readConfigOption(args, context);
    const asJson = args.values.json === true;
    const simulation = new Simulation({
      script,
      findScheduler,
      candidates: true,
      ...playProgress(script.lines.length, context),
      ...(config === undefined ? {} : { config }),
    });
    let decisions = 0;
    let wrong = 0;
    for (const outcome of simulation.run()) {
      decisions++;
      if (!outcome.asExpected) wrong++;
      context.stdout(asJson ? `${JSON.stringify(plain(outcome))}\n` : formatOutcome(outcome));
    }
    context.progress?.("");
    if (!asJson) {
      context.stdout(
        `${formatShares(simulation)}${counted(decisions, "decision")}, ${wrong} not as expected\n`,
      );
    }
    return wrong === 0 ? EXIT.ok : EXIT.failed;
  },
};

/** `12.500 s  web  192.0.2.1:1000 -> 10.1.0.2:80   of 10.1.0.1:80 w1 a2 i0, ...` */
export function formatOutcome(outcome: Outcome): string {
  const { atMs, service, client, answer, before, expected, asExpected } = outcome;
  const seen = before.map((it) =>
    `${it.address} w${it.weight} a${it.activeConns} i${it.inactiveConns}${it.overloaded ? " overloaded" : ""}`
  );
  const complaint = asExpected ? "" : `   EXPECTED ${expected}`;
  const of = seen.length === 0 ? "" : `   of ${seen.join(", ")}`;
  return printable(`${(atMs / 1_000).toFixed(3)} s  ${service}  ${client} -> ${answer}${complaint}${of}`) +
    "\n";
}

function plain(
  { line, atMs, service, client, answer, before, expected, asExpected, decision }: Outcome,
): object {
  const { isNew } = decision;
  const seconds = atMs / 1_000;
  return { line, seconds, service, client, answer, isNew, expected: expected ?? null, asExpected, before };
}

function formatShares({ world }: Simulation): string {
  const rows = world.director.services().flatMap(({ handle }) =>
    world.director.destinationViews(handle).map((it) => [
      { text: world.serviceName(handle) },
      { text: formatEndpoint(it) },
      ...[it.weight, it.statistics.connections, it.activeConns, it.inactiveConns]
        .map((number) => ({ text: `${number}`, alignRight: true })),
    ])
  );
  if (rows.length === 0) return "";
  const head = ["service", "destination", "weight", "connections", "active", "inactive"];
  const lines = alignColumns([head.map((text, i) => ({ text, alignRight: i > 1 })), ...rows]);
  return `\n${lines.map((line) => `${printable(line)}\n`).join("")}`;
}
