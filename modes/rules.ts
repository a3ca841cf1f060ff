/**
 * What each forwarding method allows: the one list that `lvsd check`, the doctor, the docs and `lvsd modes` read.
 *
 * @module
 */
import type { Family } from "../net/address.ts";

/** The three forwarding methods, as a config file spells them. */
export type ForwardingMethodName = "nat" | "dr" | "tun";

/** What a method may or may not allow; `RULES` has the question behind each. */
export type RuleId = "port-mapping" | "mixed-families" | "every-address" | "proxy-header";

/** A rule as a question to a forwarding method. */
export interface Rule {
  readonly id: RuleId;
  /** Completes "allows ...". */
  readonly title: string;
}

/** Every rule, in the order in which mistakes and tables show them. */
export const RULES: readonly Rule[] = [
  { id: "port-mapping", title: "a real server port that differs from the service port" },
  { id: "mixed-families", title: "an IPv6 service before IPv4 real servers, and the reverse" },
  { id: "every-address", title: "a service on every address of the host (`:80`, `0.0.0.0:80`)" },
  {
    id: "proxy-header",
    title: "a PROXY header (`clientAddress: proxy-v1` or `proxy-v2`, `acceptProxyFrom`)",
  },
];

/** A method's answer to one rule. */
export interface RuleAnswer {
  readonly allowed: boolean;
  /** The LVS reason, a full clause without capital and full stop. */
  readonly reason: string;
}

/** One forwarding method: its names and its answer to every rule. */
export interface ForwardingMethod {
  readonly name: ForwardingMethodName;
  /** Name in prose, with LVS's own word. */
  readonly title: string;
  /** Option of ipvsadm. */
  readonly option: "-m" | "-g" | "-i";
  /** Word in the `Forward` column of `ipvsadm -L`. */
  readonly listWord: "Masq" | "Route" | "Tunnel";
  /** What the director changes in a packet from the client. */
  readonly changes: string;
  /** Whether replies come back through the director, so that it sees and counts them. */
  readonly seesReplies: boolean;
  readonly answers: Readonly<Record<RuleId, RuleAnswer>>;
}

/** What a virtual service asks of its forwarding method. */
export interface ServiceDemand {
  readonly family: Family;
  readonly port: number;
  /** The service listens on every address of the host. */
  readonly everyAddress: boolean;
  /** The service writes or expects PROXY headers. */
  readonly proxyHeader: boolean;
}

/** What a destination asks of the forwarding method; `family` is undefined while a host name is not resolved. */
export interface DestinationDemand {
  readonly family: Family | undefined;
  readonly port: number;
}

/** A demand that the method does not allow. */
export interface Violation {
  readonly rule: RuleId;
  readonly reason: string;
}

/**
 * Rules that a virtual service breaks by itself.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { dr } from "./dr.ts";
 *
 * const service = { family: 4, port: 80, everyAddress: true, proxyHeader: false } as const;
 * assert.deepEqual(serviceViolations(dr, service).map((it) => it.rule), ["every-address"]);
 * ```
 */
export function serviceViolations(method: ForwardingMethod, service: ServiceDemand): Violation[] {
  const asked: RuleId[] = [];
  if (service.everyAddress) asked.push("every-address");
  if (service.proxyHeader) asked.push("proxy-header");
  return refusals(method, asked);
}

/**
 * Rules that one destination breaks in its service.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { dr } from "./dr.ts";
 * import { nat } from "./nat.ts";
 *
 * const service = { family: 4, port: 80, everyAddress: false, proxyHeader: false } as const;
 * const destination = { family: 4, port: 8080 } as const;
 * assert.deepEqual(destinationViolations(dr, service, destination).map((it) => it.rule), ["port-mapping"]);
 * assert.deepEqual(destinationViolations(nat, service, destination), []);
 * ```
 */
export function destinationViolations(
  method: ForwardingMethod,
  service: ServiceDemand,
  destination: DestinationDemand,
): Violation[] {
  const asked: RuleId[] = [];
  if (destination.port !== service.port) asked.push("port-mapping");
  // A service on every address has clients of both families, so nothing can be said of it here.
  const mixed = destination.family !== undefined && destination.family !== service.family;
  if (mixed && !service.everyAddress) asked.push("mixed-families");
  return refusals(method, asked);
}

function refusals(method: ForwardingMethod, asked: readonly RuleId[]): Violation[] {
  return asked
    .filter((rule) => !method.answers[rule].allowed)
    .map((rule) => ({ rule, reason: method.answers[rule].reason }));
}
