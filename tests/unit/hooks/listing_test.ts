/** Rules in iptables' words. */
import assert from "node:assert/strict";
import { listRule } from "../../../hooks/listing.ts";
import type { Match, Target } from "../../../hooks/rule.ts";
import { DROP, prefixes, rule } from "./testbed.ts";

const limit = { rate: 10, periodMs: 1_000, burst: 5 };
const perSource = { ipv4: 32, ipv6: 128 };
const ports = (first: number, last = first) => ({ first, last });

const OPTIONS: readonly (readonly [match: Match, not: Match | undefined, options: string])[] = [
  [{}, undefined, ""],
  [{ protocols: [6], destinationPorts: [ports(80)] }, undefined, "tcp dpt:80"],
  [{ protocols: [17], sourcePorts: [ports(1_024, 65_535)] }, undefined, "udp spts:1024:65535"],
  [{ protocols: [6] }, { destinationPorts: [ports(80)] }, "tcp dpt:!80"],
  [{ protocols: [6], destinationPorts: [ports(80), ports(90, 99)] }, undefined, "multiport dports 80,90:99"],
  [{ mark: { value: 7, mask: 0xffffffff } }, undefined, "mark match 0x7"],
  [{}, { mark: { value: 7, mask: 0xff } }, "mark match ! 0x7/0xff"],
  [{ states: 3 }, undefined, "ctstate NEW,ESTABLISHED"],
  [{ connectionsAbove: { count: 9, perSource } }, undefined, "#conn src/32 > 9"],
  [{ limit }, undefined, "limit: avg 10/sec burst 5"],
  [{ limit: { ...limit, perSource } }, undefined, "limit: up to 10/sec burst 5 mode srcip"],
  [{}, { limit: { ...limit, periodMs: 60_000, perSource } }, "limit: above 10/min burst 5 mode srcip"],
  [{ services: ["web", "dns"] }, undefined, "service web,dns"],
];

for (const [match, not, options] of OPTIONS) {
  Deno.test(`listing: ${options || "nothing behind the columns"}`, () => {
    assert.equal(listRule(rule(match, DROP, not)).options, options);
  });
}

const TARGETS: readonly (readonly [target: Target, name: string, options: string])[] = [
  [{ kind: "accept" }, "ACCEPT", ""],
  [{ kind: "none" }, "", ""],
  [{ kind: "jump", chain: "blocked" }, "blocked", ""],
  [{ kind: "reject", with: "tcp-reset" }, "REJECT", "reject-with tcp-reset"],
  [{ kind: "mark", mark: { value: 7, mask: 0xffffffff } }, "MARK", "MARK set 0x7"],
  [{ kind: "mark", mark: { value: 7, mask: 0xff } }, "MARK", "MARK xset 0x7/0xff"],
  [{ kind: "log", prefix: "web: ", level: "info" }, "LOG", 'LOG flags 0 level 6 prefix "web: "'],
];

for (const [target, name, options] of TARGETS) {
  Deno.test(`listing: target ${name || "none"} ${options}`, () => {
    const listing = listRule(rule({}, target));
    assert.deepEqual([listing.target, listing.options], [name, options]);
  });
}

Deno.test("listing: addresses name the family, and neither when a rule is for both", () => {
  const columns = (match: Match, not?: Match) => {
    const { protocol, source, destination } = listRule(rule(match, DROP, not));
    return [protocol, source, destination];
  };
  assert.deepEqual(columns({}), ["all", "anywhere", "anywhere"]);
  assert.deepEqual(columns({ source: prefixes("10.0.0.1/32") }), ["all", "10.0.0.1", "0.0.0.0/0"]);
  assert.deepEqual(columns({ family: 6 }), ["all", "::/0", "::/0"]);
  assert.deepEqual(columns({ protocols: [6] }, { source: prefixes("10.0.0.0/8") }), [
    "tcp",
    "!10.0.0.0/8",
    "anywhere",
  ]);
});
