/**
 * `lvsd explain`: where a flow would go, and why.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { currentSurroundings } from "../admin/socket_path.ts";
import type { PacketExplanation } from "../admin/source.ts";
import { SystemClock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { RuleKeeper } from "../daemon/rule_keeper.ts";
import { followPacket, type PacketWish } from "../engines/packet/packet_path.ts";
import { EXIT, UsageError } from "../errors.ts";
import { SeededRandom } from "../net/random.ts";
import { findScheduler } from "../schedulers/registry.ts";
import { explain as explainFlow, type Explanation } from "../simulator/explain.ts";
import { flowOf, parseFlow } from "../simulator/flows.ts";
import { World } from "../simulator/world.ts";
import { type Command, type ParsedArgs, textOption } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";
import { optionValue, wholeNumberOption } from "./options.ts";
import { formatPath, surroundingsOf } from "./packet_path.ts";
import { readConfigOption } from "./simulator_files.ts";
import { alignColumns, printable } from "./table.ts";

export const explain: Command = {
  usage: `lvsd explain - where a flow would go, and why

Usage: lvsd explain FLOW [-c CONFIG] [--packet [--bytes N] [--in NAME]] [--json]
                    [--socket PATH | --url URL]

FLOW is [tcp|udp] CLIENT:PORT [->] SERVICE [mark=N]; the service is its name or an address and port. The
arrow needs quotes in a shell, or leave it out. The running daemon answers for the state it is in; with -c
the config answers for a fresh start with every real server up.

With --packet also the way of the flow's first packet through the packet engine: hooks in netfilter's order
with the rules that match, the director's functions, translation, route, the most bytes that may go there,
neighbour, and what is sent. The service may then be any address, for the reply of a real server too.

  -c, --config FILE  ask this config and no daemon
      --packet       the packet's way through the hooks
      --bytes N      IP length of the packet in bytes; without it the headers alone
      --in NAME      interface it comes in by; without it the one towards its sender
      --json         the explanation as JSON
${daemonOptionsUsage(21)}
Exit codes: 0 it goes somewhere, 1 it is refused or there is no such service, 2 usage, a mistake in FLOW
too, 3 no daemon.

Examples:
  lvsd explain tcp 10.0.0.7:40000 :8080
  lvsd explain --packet --bytes 1500 tcp 10.1.0.10:40000 10.1.0.100:80
`,
  options: {
    config: { type: "string", short: "c" },
    json: { type: "boolean" },
    packet: { type: "boolean" },
    bytes: { type: "string" },
    in: { type: "string" },
    ...DAEMON_OPTIONS,
  },
  positionals: { least: 1, most: 5 },
  fillers: ["->"],

  async run(args, context) {
    const text = flowText(args.positionals);
    optionValue("FLOW", text, parseFlow);
    const wish = readWish(args);
    const config = await readConfigOption(args, context);
    let explanation: Explanation | PacketExplanation;
    if (config === undefined) {
      const client = daemonClient(args, context, new SystemClock(), currentSurroundings());
      explanation = wish === undefined ? await client.explain(text) : await client.explainPacket(text, wish);
    } else {
      explanation = explainConfig(config, text, wish);
    }
    context.stdout(
      args.values.json === true
        ? `${JSON.stringify(explanation, null, 2)}\n`
        : `${formatExplanation(explanation)}${"path" in explanation ? formatPath(explanation.path) : ""}`,
    );
    return explanation.answer === null ? EXIT.failed : EXIT.ok;
  },
};

/** What is asked of a packet; undefined when the question is about a flow. */
function readWish(args: ParsedArgs): PacketWish | undefined {
  const [bytes, interfaceName] = [textOption(args, "bytes"), textOption(args, "in")];
  if (args.values.packet === true) {
    return {
      ...(bytes === undefined ? {} : { bytes: wholeNumberOption("--bytes", bytes, 1, 65_535) }),
      ...(interfaceName === undefined ? {} : { interfaceName }),
    };
  }
  if (bytes === undefined && interfaceName === undefined) return undefined;
  throw new UsageError("OPTION_NEEDS_ANOTHER", "--bytes and --in are about a packet; add --packet", {});
}

/** The answer of a director that was just started with this config. */
function explainConfig(
  config: Config,
  text: string,
  wish: PacketWish | undefined,
): Explanation | PacketExplanation {
  const world = new World({ findScheduler, seed: 1 });
  world.configure(config);
  const { director, nowMs } = world;
  const random = new SeededRandom(1);
  const serviceName = (handle: number) => world.serviceName(handle);
  const keeper = new RuleKeeper({ director, random, logger: getLogger(["lvsd", "explain"]), serviceName });
  keeper.apply(config);
  const flow = flowOf(parseFlow(text), world);
  const surroundings = wish === undefined ? undefined : surroundingsOf(config, world);
  const decision = explainFlow({
    director,
    flow,
    nowMs,
    random,
    serviceName,
    rules: keeper.ask(flow, nowMs),
  });
  if (wish === undefined || surroundings === undefined) return decision;
  const copy = director.fork(new SeededRandom(1), flow);
  return { ...decision, path: followPacket(copy, flow, surroundings, wish, nowMs) };
}

/** A shell takes an unquoted `->` for a redirection, so the flow may be written without it. */
function flowText(positionals: readonly string[]): string {
  const words = positionals.join(" ").trim().split(/\s+/);
  if (words.includes("->")) return words.join(" ");
  const client = /^[a-z]+$/.test(words[0] ?? "") ? 1 : 0;
  return [...words.slice(0, client + 1), "->", ...words.slice(client + 1)].join(" ");
}

/** The page for people. */
export function formatExplanation(explanation: Explanation): string {
  const { flow, service, scheduler, rules, entry, template, destinations, answer, refusal, why } =
    explanation;
  const known = (it: Explanation["entry"]) =>
    it === null ? "none" : `${it.destination} ${it.state}, ${it.expiresSeconds} s left`;
  const facts = [
    ["service", [service ?? "none", ...(scheduler === null ? [] : [`scheduler ${scheduler}`])].join(", ")],
    ...rules.map((rule, i) => [i === 0 ? "rules" : "", rule]),
    ["entry", known(entry)],
    ["template", known(template)],
  ].map((texts) => texts.map((text) => ({ text })));
  const head = ["", "destination", "weight", "active", "inactive", "value", ""];
  const right = (i: number) => i > 1 && i < 5;
  const rows = destinations.map((it) => [
    it.chosen ? "*" : "",
    it.address,
    `${it.weight}`,
    `${it.activeConns}`,
    `${it.inactiveConns}`,
    it.value,
    it.excluded,
  ]);
  const table = [head, ...rows].map((row) => row.map((text, i) => ({ text, alignRight: right(i) })));
  const lines = [
    flow,
    ...alignColumns(facts).map((line) => `  ${line}`),
    ...(rows.length === 0 ? [] : alignColumns(table).map((line) => `  ${line}`.trimEnd())),
    `  why: ${why}`,
    answer === null ? `refused: ${refusal}` : `-> ${answer}`,
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}
