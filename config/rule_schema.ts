/**
 * The YAML schema of rules and their chains.
 *
 * @module
 */
import * as z from "zod";
import { REJECT_KINDS } from "../hooks/hook.ts";
import { STATE, type StateName } from "../hooks/packet_view.ts";
import { LOG_LEVELS } from "../hooks/rule.ts";
import { choice, integer, notText, oneLine, prefix } from "./fields.ts";
import { suggestion } from "./nearest.ts";
import { RULE_PROTOCOLS } from "./rule_protocols.ts";
import { maskedMark, oneOrMore, ports, rate } from "./rule_values.ts";
import { either, list, mayBeEmpty, section } from "./sections.ts";
import { shown } from "./shown.ts";

const BURST = 5;

const sourceBits = {
  ipv4: integer(0, 32).default(32).describe("Bits of an IPv4 address that make one source."),
  ipv6: integer(0, 128).default(128).describe(
    "Bits of an IPv6 address that make one source; a home has 56 or 64.",
  ),
};

/** `10/s`, or the rate with its burst and what it is counted by. */
export const limitSection = section({
  rate: rate().describe("How many in each period: `10/s`, `100/minute`, `5/hour`, `1/day`."),
  burst: integer(1, 1_000_000).default(BURST).describe("How many may come at once; the bucket begins full."),
  per: choice("per", ["rule", "source"]).default("rule")
    .describe("One bucket for the rule, or one for each source address (hashlimit)."),
  ...sourceBits,
});

/** Both spellings of a limit. */
export const limit = either("a rate such as 10/s, or a mapping with the key rate", [
  rate().transform((it) => ({ rate: it, burst: BURST, per: "rule" as const, ipv4: 32, ipv6: 128 })),
  limitSection,
]);

const connectionsAbove = either("a number of connections, or a mapping with the key count", [
  integer(0, 1_000_000).transform((count) => ({ count, ipv4: 32, ipv6: 128 })),
  section({
    count: integer(0, 1_000_000).describe("More live connections than this, the new one included."),
    ...sourceBits,
  }),
]);

/** `! -s` of iptables is a key of its own here, since `!` begins a tag in YAML. */
const positivePrefix = z.string({ error: ({ input }) => notText(input, "10.0.0.0/8") })
  .refine((it) => !it.startsWith("!"), {
    abort: true,
    error: ({ input }) => `{key} ${shown(input)}: to negate a condition, put it under not: {source: ...}`,
  })
  .pipe(prefix())
  .meta({ unit: "address prefix", example: "10.0.0.0/8" });

const network = (example: string) =>
  oneOrMore("a prefix such as 10.0.0.0/8, or a list of them", positivePrefix, `[${example}]`)
    .meta({ example });
const names = <Name extends string>(what: string, all: readonly Name[], example: string) =>
  oneOrMore(
    `one of ${all.join(", ")}, or a list of them`,
    choice(what, all),
    `[${example}]`,
    (word) => unknownWord(what, word, all),
  ).meta({ example });
const interfaceNames = () =>
  oneOrMore("an interface such as eth0, or a list of them", oneLine("eth0", 15), "[eth0]")
    .meta({ example: "eth0" });

function unknownWord(what: string, word: string, all: readonly string[]): string {
  return `unknown ${what} ${shown(word)}; allowed: ${all.join(", ")}${suggestion(word, all)}`;
}

const conditions = {
  family: choice("family", ["ipv4", "ipv6"]).optional().describe("IP version.").meta({ defaultText: "both" }),
  protocol: names("protocol", Object.keys(RULE_PROTOCOLS) as (keyof typeof RULE_PROTOCOLS)[], "tcp")
    .optional().describe("IP protocol, `-p`.").meta({ defaultText: "any" }),
  source: network("203.0.113.0/24").optional()
    .describe("Source addresses, `-s`; of a list one is enough.").meta({ defaultText: "any" }),
  destination: network("10.0.0.1").optional()
    .describe("Destination addresses, `-d`: the virtual address.").meta({ defaultText: "any" }),
  ports: ports().optional().describe("Destination ports, `--dport` or `--dports`. Needs `protocol`.")
    .meta({ defaultText: "any", example: "8000-8090" }),
  sourcePorts: ports().optional().describe("Source ports, `--sport`. Needs `protocol`.")
    .meta({ defaultText: "any", example: "1024-65535" }),
  service: oneOrMore("the name of a service, or a list of them", oneLine("web", 64), "[web]").optional()
    .describe("Names of virtual services.").meta({ defaultText: "any", example: "web" }),
  mark: maskedMark().optional().describe("Firewall mark, with a mask if need be: `0x7/0xff`.")
    .meta({ defaultText: "any", example: 7 }),
  state: names("state", Object.keys(STATE) as StateName[], "new").optional()
    .describe("Connection state, `--ctstate`. Socket engines see new connections only.")
    .meta({ defaultText: "any" }),
  inInterface: interfaceNames().optional()
    .describe("Interfaces it came in by, `-i`; `eth+` is all that begin so. For the packet engine.")
    .meta({ defaultText: "any" }),
  outInterface: interfaceNames().optional()
    .describe("Interfaces it leaves by, `-o`. For the packet engine.").meta({ defaultText: "any" }),
  connectionsAbove: connectionsAbove.optional()
    .describe("The source has more live connections than this, the new one included (connlimit).")
    .meta({ defaultText: "any", example: 100 }),
  limit: limit.optional()
    .describe("Only so many packets match: `10/s`, or a mapping. Under `not`: what exceeds it.")
    .meta({ defaultText: "no limit", example: "10/s" }),
};

const ELSEWHERE = {
  port: 'a rule has "ports" (the destination\'s) and "sourcePorts"',
  dport: 'the destination port is written "ports"',
  sport: 'the source port is written "sourcePorts"',
  jump: "a jump is a target; write target: {jump: NAME}",
  action: 'what a rule does is its "target"',
  policy: "a rule has no policy; it belongs to the chain",
  in: 'the incoming interface is written "inInterface"',
  out: 'the outgoing interface is written "outInterface"',
};

const log = either("the text that a line begins with, or a mapping with prefix and level", [
  oneLine("web: ", 64).transform((prefix) => ({ prefix, level: "info" as const })),
  section({
    prefix: oneLine("web: ", 64).default("rule").describe("What the line begins with."),
    level: choice("log level", LOG_LEVELS).default("info").describe("Level of the record."),
  }),
]);

const TARGET_WORDS = ["accept", "drop", "reject", "return", "count"] as const;

const TARGETS = `${
  TARGET_WORDS.join(", ")
}, {mark: 7}, {reject: tcp-reset}, {log: "text"}, {limit: 10/s}, {jump: NAME}`;

/** A word, or a mapping with one key. */
export const target = z.union(
  [
    choice("target", TARGET_WORDS),
    section({
      mark: maskedMark().optional().describe(
        "Sets the firewall mark, under a mask its bits alone; the walk goes on.",
      ),
      reject: choice("reject kind", REJECT_KINDS).optional().describe(
        "Drops, and tells the sender in this way.",
      ),
      log: log.optional().describe("Writes a line to the log; the walk goes on."),
      limit: limit.optional().describe("Drops what exceeds the rate; the rest goes on."),
      jump: oneLine("blocked", 28).optional().describe("Goes on in a chain of `rules.chains`."),
    }),
  ],
  {
    error: ({ input }) =>
      `unknown target ${shown(input)}; allowed: ${TARGETS}${
        typeof input === "string" ? suggestion(input, TARGET_WORDS) : ""
      }`,
  },
);

/** One rule. */
export const ruleSection = section({
  ...conditions,
  not: section(conditions, ELSEWHERE).optional()
    .describe("Conditions of which none may hold: the same keys. `!` of iptables.")
    .meta({ defaultText: "none", example: { source: "10.0.0.0/8" } }),
  target: target.describe(
    "What becomes of it: `accept`, `drop`, `reject`, `return`, `count` (only count), or a mapping, see below.",
  ).meta({ example: "drop" }),
  comment: oneLine("scanners", 255).optional().describe("Shown in `lvsd rules`.").meta({
    defaultText: "none",
  }),
}, ELSEWHERE).describe("One rule: every condition has to hold, then the target is carried out.")
  .meta({ id: "rule" });

/** A rule as it was read. */
export type WrittenRule = z.output<typeof ruleSection>;
/** Conditions as they were read. */
export type WrittenMatch = Omit<WrittenRule, "not" | "target" | "comment">;

const EXAMPLE = "- {source: 203.0.113.0/24, target: drop}";
const ruleList = list(ruleSection, EXAMPLE);

const baseChain = () =>
  mayBeEmpty(
    either("a list of rules, or a mapping with policy and chain", [
      ruleList.transform((chain) => ({ policy: "accept" as const, chain })),
      section({
        policy: choice("policy", ["accept", "drop"]).default("accept")
          .describe("What becomes of what no rule decided."),
        chain: mayBeEmpty(ruleList.prefault([])).describe("The rules, in order."),
      }),
    ]).prefault([]),
  );

/** All chains. */
export const rulesSection = section({
  prerouting: baseChain().describe("Before anything else; marks are set here.").meta({ example: [] }),
  input: baseChain().describe("For what is addressed to a virtual service; the filter.").meta({
    example: [],
  }),
  forward: baseChain().describe("Answers that pass through. For the packet engine.").meta({ example: [] }),
  output: baseChain().describe("What this host sends itself. For the packet engine.").meta({ example: [] }),
  postrouting: baseChain().describe("Last, before it leaves. For the packet engine.").meta({ example: [] }),
  chains: mayBeEmpty(
    z.record(
      z.string().regex(/^[A-Za-z0-9_.-]{1,28}$/),
      mayBeEmpty(ruleList.prefault([])),
      {
        error: ({ code, input }) =>
          code === "invalid_key"
            ? "the chain's name {key} is not possible; allowed: 1 to 28 letters, digits, _, . or -"
            : `{key} must be a mapping of names to lists of rules, not ${shown(input)}`,
      },
    ).prefault({}),
  ).describe("Chains of your own, by name, reached by `target: {jump: NAME}`.")
    .meta({ example: {}, unit: "mapping of names to lists of rules" }),
}, {
  rules: "rules stand in the chain of a hook: rules: {input: [...]}",
  chain: '"chain" belongs to a hook: rules: {input: {chain: [...]}}',
  policy: '"policy" belongs to a hook: rules: {input: {policy: drop}}',
});

/** All chains as they were read. */
export type WrittenRules = z.output<typeof rulesSection>;
