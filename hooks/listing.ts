/**
 * Rules in the words of `iptables -L -n`: what stands in its columns, and behind them.
 *
 * @module
 */
import type { Prefix } from "../net/prefix.ts";
import { STATE } from "./packet_view.ts";
import type { Limit, LogLevel, MaskedMark, Match, PortRange, Rule } from "./rule.ts";

/** The columns of one rule. */
export interface RuleListing {
  /** `ACCEPT`, `MARK`, the name of a chain, or `""` for a rule that only counts. */
  readonly target: string;
  /** `tcp`, `!udp`, `all`. */
  readonly protocol: string;
  readonly inInterface: string;
  readonly outInterface: string;
  readonly source: string;
  readonly destination: string;
  /** Everything else: `tcp dpt:80 limit: avg 10/sec burst 5`. */
  readonly options: string;
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: "icmp",
  6: "tcp",
  17: "udp",
  50: "esp",
  51: "ah",
  58: "icmpv6",
  132: "sctp",
};

/**
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const match = { protocols: [6], destinationPorts: [{ first: 80, last: 90 }] };
 * const listing = listRule({ match, target: { kind: "mark", mark: { value: 7, mask: 0xffffffff } } });
 * assert.equal(listing.target, "MARK");
 * assert.equal(listing.source, "anywhere");
 * assert.equal(listing.options, "tcp dpts:80:90 MARK set 0x7");
 * ```
 */
export function listRule(rule: Rule): RuleListing {
  const { match, not = {}, target } = rule;
  const column = (read: (it: Match) => string | undefined, byDefault: string) => {
    const [wanted, unwanted] = [read(match), read(not)];
    const negated = unwanted === undefined ? [] : [`!${unwanted}`];
    return [...(wanted === undefined ? [] : [wanted]), ...negated].join(",") || byDefault;
  };
  const everywhere = familyOf(rule);
  return {
    target: target.kind === "jump" ? target.chain : target.kind === "none" ? "" : target.kind.toUpperCase(),
    protocol: column((it) => it.protocols?.map(protocolName).join(","), "all"),
    inInterface: column((it) => it.inInterface?.join(","), "*"),
    outInterface: column((it) => it.outInterface?.join(","), "*"),
    source: column((it) => it.source?.map(networkText).join(","), everywhere),
    destination: column((it) => it.destination?.map(networkText).join(","), everywhere),
    options: [
      ...matchOptions(match, "", protocolOf(match)),
      ...matchOptions(not, "! ", protocolOf(match)),
      ...targetOptions(rule),
      ...(rule.comment === undefined ? [] : [`/* ${rule.comment} */`]),
    ].join(" "),
  };
}

/** What an address that no condition names is called: by the family when the rule has one. */
function familyOf({ match: { family, source, destination } }: Rule): string {
  const families = new Set([...source ?? [], ...destination ?? []].map((it) => it.address.family));
  const only = family ?? (families.size === 1 ? [...families][0] : undefined);
  return only === undefined ? "anywhere" : only === 4 ? "0.0.0.0/0" : "::/0";
}

/** The word before a port: the protocol, when there is one. */
function protocolOf({ protocols = [] }: Match): string {
  return protocols.length === 1 ? protocolName(protocols[0] ?? 0) : "";
}

function protocolName(number: number): string {
  return PROTOCOL_NAMES[number] ?? String(number);
}

/** One address is written without its length, as iptables does. */
function networkText(prefix: Prefix): string {
  const full = prefix.address.family === 4 ? 32 : 128;
  return prefix.length === full ? String(prefix.address) : String(prefix);
}

function matchOptions(match: Match, no: string, protocol: string): string[] {
  const { sourcePorts, destinationPorts, mark, states, services, connectionsAbove, limit } = match;
  const found: string[] = [];
  const bang = no === "" ? "" : "!";
  // A wanted family is in the address columns already.
  if (match.family !== undefined && no !== "") found.push(`${no}family ipv${match.family}`);
  if (sourcePorts !== undefined) found.push(portsText("s", sourcePorts, bang, protocol));
  if (destinationPorts !== undefined) found.push(portsText("d", destinationPorts, bang, protocol));
  if (services !== undefined) found.push(`${no}service ${services.join(",")}`);
  if (mark !== undefined) found.push(`mark match ${no}${markText(mark)}`);
  if (states !== undefined) {
    const names = Object.entries(STATE).filter(([, bit]) => (states & bit) !== 0);
    found.push(`${no}ctstate ${names.map(([name]) => name.toUpperCase()).join(",")}`);
  }
  if (connectionsAbove !== undefined) {
    const { count, perSource } = connectionsAbove;
    const bits = match.family === 6 ? perSource.ipv6 : perSource.ipv4;
    found.push(`#conn src/${bits} ${no === "" ? ">" : "<="} ${count}`);
  }
  if (limit !== undefined) found.push(limitText(limit, no !== ""));
  return found;
}

function portsText(side: "s" | "d", ranges: readonly PortRange[], bang: string, protocol: string): string {
  const [only, ...more] = ranges;
  const lead = protocol === "" ? "" : `${protocol} `;
  if (only !== undefined && more.length === 0) {
    return only.first === only.last
      ? `${lead}${side}pt:${bang}${only.first}`
      : `${lead}${side}pts:${bang}${only.first}:${only.last}`;
  }
  const list = ranges.map((it) => it.first === it.last ? `${it.first}` : `${it.first}:${it.last}`);
  return `multiport ${side}ports ${bang === "" ? "" : "! "}${list.join(",")}`;
}

const PERIOD_NAMES: Readonly<Record<number, string>> = {
  1_000: "sec",
  60_000: "min",
  3_600_000: "hour",
  86_400_000: "day",
};

/** As xt_limit prints it; per source as xt_hashlimit does. */
function limitText({ rate, periodMs, burst, perSource }: Limit, isAbove: boolean): string {
  const text = `${rate}/${PERIOD_NAMES[periodMs] ?? `${periodMs}ms`} burst ${burst}`;
  if (perSource === undefined && !isAbove) return `limit: avg ${text}`;
  const mode = perSource === undefined ? "" : " mode srcip";
  const { ipv4, ipv6 } = perSource ?? { ipv4: 32, ipv6: 128 };
  const bits = ipv6 !== 128 ? ` srcmask ${ipv4}/${ipv6}` : ipv4 === 32 ? "" : ` srcmask ${ipv4}`;
  return `limit: ${isAbove ? "above" : "up to"} ${text}${mode}${bits}`;
}

/** As LOG prints its level. */
const SYSLOG_LEVELS: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 };

function targetOptions({ target }: Rule): string[] {
  switch (target.kind) {
    case "reject":
      return [`reject-with ${target.with}`];
    case "mark":
      return target.mark.mask === 0xffffffff
        ? [`MARK set 0x${target.mark.value.toString(16)}`]
        : [`MARK xset ${markText(target.mark)}`];
    case "log":
      return [`LOG flags 0 level ${SYSLOG_LEVELS[target.level]} prefix "${target.prefix}"`];
    default:
      return [];
  }
}

function markText({ value, mask }: MaskedMark): string {
  const hex = `0x${value.toString(16)}`;
  return mask === 0xffffffff ? hex : `${hex}/0x${mask.toString(16)}`;
}
