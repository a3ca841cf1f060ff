/** `lvsd rules` prints the columns of iptables 1.8: taken from its xshared.c, widths and suffixes included. */
import assert from "node:assert/strict";
import type { ChainStatus, RuleStatus } from "../../../admin/source.ts";
import { formatRules, quantity } from "../../../cli/rules_text.ts";
import { CHAIN } from "../admin/fake_source.ts";

const RULE = CHAIN.rules[0] as RuleStatus;
const PLAIN = { exact: false, lineNumbers: false };

/** What `iptables -L -v -n` prints of such a chain. */
const IPTABLES = `\
Chain INPUT (policy DROP 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination         
 123K   45M ACCEPT     tcp  --  eth0   *       192.0.2.0/24         10.0.0.1             tcp dpt:80
    0     0 DROP       all  --  *      *      !10.0.0.0/8           0.0.0.0/0           
    7   420            all  --  *      *       0.0.0.0/0            0.0.0.0/0            ctstate NEW

Chain blocked (2 references)
 pkts bytes target     prot opt in     out     source               destination         
`;

const CHAINS: readonly ChainStatus[] = [
  {
    ...CHAIN,
    policy: "DROP",
    packets: 0,
    bytes: 0,
    rules: [
      {
        ...RULE,
        packets: 123_456,
        bytes: 45_000_000,
        target: "ACCEPT",
        inInterface: "eth0",
        source: "192.0.2.0/24",
        destination: "10.0.0.1",
        options: "tcp dpt:80",
        emulated: "",
      },
      { ...RULE, packets: 0, bytes: 0, protocol: "all", source: "!10.0.0.0/8", options: "", emulated: "" },
      {
        ...RULE,
        packets: 7,
        bytes: 420,
        target: "",
        protocol: "all",
        source: "0.0.0.0/0",
        options: "ctstate NEW",
        emulated: "",
      },
    ],
  },
  { ...CHAIN, name: "blocked", hook: null, priority: null, policy: null, references: 2, rules: [] },
];

Deno.test("rules: the columns of iptables -L -v -n", () => {
  assert.equal(formatRules({ chains: CHAINS }, PLAIN), IPTABLES);
});

Deno.test("rules: -x has whole numbers, --line-numbers a column more", () => {
  const lines = formatRules({ chains: CHAINS }, { exact: true, lineNumbers: true }).split("\n");
  assert.equal(
    lines[1],
    "num      pkts      bytes target     prot opt in     out     source               destination         ",
  );
  assert.equal(
    lines[2],
    "1      123456 45000000 ACCEPT     tcp  --  eth0   *       192.0.2.0/24         10.0.0.1             tcp dpt:80",
  );
});

Deno.test("rules: quantities are rounded as xtables_print_num rounds them", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [99_999, "99999"],
    [100_000, "100K"],
    [100_499, "100K"],
    [100_500, "101K"],
    [9_999_499, "9999K"],
    [9_999_500, "10M"],
    [9_998_999_999, "9999M"],
    // Rounded in each step: 9,999,500K is 10,000M is 10G.
    [9_999_499_999, "10G"],
    [10_000_000_000, "10G"],
    [10_000_000_000_000, "10T"],
  ];
  for (const [count, text] of cases) assert.equal(quantity(count, false, 0), text);
  assert.equal(quantity(123_456_789, true, 0), "123456789");
});

Deno.test("rules: what is emulated is said once for each reason; nothing steers the terminal", () => {
  const rules = [1, 2, 3].map((number) => ({ ...RULE, number, options: "/* \x1b[2J */" }));
  const text = formatRules({ chains: [{ ...CHAIN, rules }] }, PLAIN);
  assert.match(text, /\nemulated: INPUT 1, INPUT 2, INPUT 3: a TCP connection is reset\n$/);
  assert.ok(!text.includes("\x1b") && text.includes("\\x1b[2J"));
  assert.equal(formatRules({ chains: [] }, PLAIN), "no rules; see docs/rules.md and lvsd check\n");
});
