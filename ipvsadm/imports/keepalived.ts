/**
 * keepalived.conf as a config: virtual servers, their groups and real servers. What is not about them is a warning.
 *
 * @module
 */
import type { ForwardingMethodName } from "../../modes/rules.ts";
import { IpAddress } from "../../net/address.ts";
import { Import, type ImportedDestination, type ImportedService } from "./imported.ts";
import { checkOf, isChecker } from "./keepalived_checks.ts";
import { type Place, placesOf } from "./keepalived_places.ts";
import { type IncludeReader, isOn, readStatements, type Statement } from "./keepalived_syntax.ts";

const METHODS: Readonly<Record<string, ForwardingMethodName>> = { NAT: "nat", DR: "dr", TUN: "tun" };
const FLAGS: readonly string[] = [
  "flag-1",
  "flag-2",
  "flag-3",
  "sh-fallback",
  "sh-port",
  "mh-fallback",
  "mh-port",
];
/** What a virtual server may say that is taken over, or is keepalived's way of doing what lvsd does anyway. */
const SERVICE_WORDS: ReadonlySet<string> = new Set([
  "delay_loop",
  "lb_algo",
  "lvs_sched",
  "lb_kind",
  "lvs_method",
  "persistence_timeout",
  "persistence_granularity",
  "persistence_engine",
  "protocol",
  "ops",
  "virtualhost",
  "sorry_server",
  "real_server",
  "retry",
  "delay_before_retry",
  "connect_timeout",
  "inhibit_on_failure",
  "alpha",
  "weight",
  ...FLAGS,
]);
const SERVER_WORDS: ReadonlySet<string> = new Set([
  "weight",
  "lb_kind",
  "lvs_method",
  "uthreshold",
  "lthreshold",
  "inhibit_on_failure",
  "virtualhost",
  "delay_loop",
  "retry",
  "delay_before_retry",
  "connect_timeout",
  "alpha",
]);

/**
 * Reads the file and what it includes.
 *
 * @throws {ValueError} `IMPORT_INVALID`
 */
export async function importKeepalived(text: string, file: string, includes: IncludeReader): Promise<Import> {
  const it = new Import();
  const statements = await readStatements(text, file, includes, it);
  const groups = new Map(
    statements.filter(({ words }) => words[0] === "virtual_server_group")
      .map((statement) => [statement.words[1] ?? "", statement]),
  );
  for (const statement of statements) takeStatement(statement, groups, it);
  return it;
}

function takeStatement(statement: Statement, groups: ReadonlyMap<string, Statement>, it: Import): void {
  const { words: [name = ""], file, line } = statement;
  if (name === "virtual_server") takeService(statement, groups, it);
  else if (name === "global_defs") takeGlobals(statement, it);
  else if (name.startsWith("vrrp_")) {
    it.warn(file, line, `${name}: lvsd does not move addresses between hosts; left out`);
  } else if (name !== "virtual_server_group") {
    it.warn(file, line, `${name} has no counterpart; left out`);
  }
}

function takeGlobals({ block }: Statement, it: Import): void {
  for (const { words: [name = "", ...values], file, line } of block) {
    if (name !== "lvs_timeouts") {
      it.warn(file, line, `${name} has no counterpart; left out`);
      continue;
    }
    const seconds = (word: string) => {
      const text = values[values.indexOf(word) + 1];
      return values.includes(word) && text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
    };
    const [tcp, tcpFin, udp] = [seconds("tcp"), seconds("tcpfin"), seconds("udp")];
    it.timeouts = { ...(tcp && { tcp }), ...(tcpFin && { tcpFin }), ...(udp && { udp }) };
  }
}

function takeService(statement: Statement, groups: ReadonlyMap<string, Statement>, it: Import): void {
  const { block, file, line } = statement;
  const value = (...names: string[]) =>
    block.findLast(({ words: [name = ""] }) => names.includes(name))?.words[1];
  for (const { words: [name = ""], file, line } of block) {
    if (!SERVICE_WORDS.has(name)) it.warn(file, line, `virtual_server: ${name} has no counterpart; left out`);
  }
  const protocol = value("protocol")?.toUpperCase();
  if (protocol === "SCTP") {
    it.warn(file, line, "virtual_server: a config has no SCTP services; left out");
    return;
  }
  const schedulerAt = block.find(({ words: [name = ""] }) => ["lb_algo", "lvs_sched"].includes(name));
  const scheduler = it.scheduler(
    schedulerAt?.words[1] ?? "wlc",
    schedulerAt?.file ?? file,
    schedulerAt?.line ?? line,
  );
  const flags = block.flatMap(({ words: [name = ""] }) => FLAGS.includes(name) ? [name] : []);
  const places = placesOf(statement, groups, it);
  if (protocol === undefined && places.some(({ mark }) => mark === undefined)) {
    it.warn(file, line, "virtual_server: no protocol is UDP in keepalived, and so it is here");
  }
  for (const place of places) {
    const sorry = block.find(({ words }) => words[0] === "sorry_server")?.words;
    const common = {
      listen: place.mark === undefined ? endpointText(place.listen, place.port) : "off",
      ...(place.mark === undefined ? {} : { mark: place.mark }),
      // A mark is of every protocol.
      protocol: (protocol ?? (place.mark === undefined ? "UDP" : "TCP")) === "UDP" ? "udp" : "tcp",
      scheduler,
      flags,
      ...persistenceOf(block, value),
      ...(block.some(({ words }) => words[0] === "ops") ? { onePacket: true } : {}),
      ...(sorry === undefined ? {} : { sorryServer: endpointText(sorry[1] ?? "", sorry[2] ?? place.port) }),
      onDown: block.some(isInhibited) ? "quiesce" : "remove",
      healthCheck: "off",
      line,
    } as const satisfies Omit<ImportedService, "destinations">;
    const destinations = block.filter(({ words }) => words[0] === "real_server")
      .map((server) => destinationOf(server, block, place, it));
    it.services.push({ ...common, destinations });
  }
}

/** keepalived's word for a server that is quiesced, of the service or of one of its servers. */
function isInhibited(statement: Statement): boolean {
  const { words: [name], block } = statement;
  return (name === "inhibit_on_failure" && isOn(statement)) ||
    (name === "real_server" && block.some(isInhibited));
}

function persistenceOf(
  block: readonly Statement[],
  value: (name: string) => string | undefined,
): Pick<ImportedService, "persistence"> {
  if (!block.some(({ words }) => words[0] === "persistence_timeout")) return {};
  const timeout = value("persistence_timeout") ?? "";
  const granularity = value("persistence_granularity");
  const engine = value("persistence_engine");
  return {
    persistence: {
      timeout: `${/^\d+$/.test(timeout) ? timeout : 360}s`,
      ...(granularity === undefined ? {} : {
        netmask: /^\d+$/.test(granularity) ? Number(granularity) : granularity,
      }),
      ...(engine === undefined ? {} : { engine }),
    },
  };
}

function destinationOf(
  server: Statement,
  outer: readonly Statement[],
  place: Place,
  it: Import,
): ImportedDestination {
  const { words: [, host = "", port = place.port], block, file, line } = server;
  const value = (...names: string[]) =>
    [...block, ...outer].find(({ words: [name = ""] }) => names.includes(name))?.words[1];
  for (const one of block.filter((one) => !isChecker(one))) {
    const { words: [name = ""], file, line } = one;
    if (isInhibited(one)) {
      it.warn(
        file,
        line,
        "real_server: inhibit_on_failure is the service's onDown: quiesce, and so of all its servers",
      );
    }
    if (!SERVER_WORDS.has(name)) it.warn(file, line, `real_server: ${name} has no counterpart; left out`);
  }
  const method = METHODS[(value("lb_kind", "lvs_method") ?? "NAT").toUpperCase()] ?? "nat";
  const isForced = method !== "nat" && place.mark === undefined && port !== place.port;
  if (isForced) it.warn(file, line, `real_server: with ${method} the port is the service's, ${place.port}`);
  const tunnel = [...block, ...outer].find(({ words }) => /^(lb_kind|lvs_method)$/.test(words[0] ?? ""));
  if (tunnel?.words.includes("gue") || tunnel?.words.includes("gre")) {
    it.warn(tunnel.file, tunnel.line, `tunnel ${tunnel.words[3]}: a config knows plain IP-in-IP only`);
  }
  const upper = Number(value("uthreshold") ?? 0);
  return {
    address: endpointText(host, isForced ? place.port : port),
    weight: Number(value("weight") ?? 1),
    method,
    ...(upper === 0 ? {} : { upperThreshold: upper, lowerThreshold: Number(value("lthreshold") ?? 0) }),
    healthCheck: checkOf(block.filter(isChecker), [...block, ...outer], it),
    line,
  };
}

/** `10.0.0.1:80`; without a port the address alone. */
function endpointText(host: string, port: string): string {
  const isIpv6 = IpAddress.tryParse(host)?.family === 6;
  if (port === "" || port === "0") return isIpv6 ? `[${host}]` : host;
  return isIpv6 ? `[${host}]:${port}` : `${host}:${port}`;
}
