/**
 * The YAML schema of one virtual service.
 *
 * @module
 */
import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { FORWARDING_METHOD_NAMES } from "../modes/registry.ts";
import { SCHEDULER_NAMES } from "../schedulers/registry.ts";
import { serverAddress } from "./addresses.ts";
import { PASSIVE, SERVICE } from "./defaults.ts";
import { destination } from "./destination_schema.ts";
import { choice, duration, flag, integer, oneLine, prefix } from "./fields.ts";
import { healthCheck } from "./health_schema.ts";
import { listenPlace } from "./listen_schema.ts";
import { persistence } from "./persistence_schema.ts";
import { limit } from "./rule_schema.ts";
import { SCHEDULER_FLAGS } from "./scheduler_flags.ts";
import { either, list, mayBeEmpty, section, word } from "./sections.ts";
import { tcpOptions } from "./tcp_schema.ts";

const passive = section({
  failures: integer(1, 1_000).default(PASSIVE.failures).describe(
    "Failed connects in a row that take a destination down.",
  ),
  eject: duration({ least: "10ms" }).prefault(PASSIVE.eject).describe(
    "How long it stays down when no active check brings it back; longer with each repetition.",
  ),
  maxEjectedPercent: integer(0, 100).default(PASSIVE.maxEjectedPercent)
    .describe("At most this share of a service's destinations is down by passive evidence.")
    .meta({ unit: "percent" }),
});

const health = {
  onDown: choice("onDown", ["quiesce", "remove"]).default(SERVICE.onDown).describe(
    "What being down means: `quiesce` sets the weight to 0 and old connections live, `remove` takes the destination out.",
  ),
  whenAllDown: choice("whenAllDown", ["refuse", "use-all"]).default(SERVICE.whenAllDown).describe(
    "When every destination is down and there is no `sorryServer`: refuse connections, or use all as if they were up.",
  ),
  sorryServer: serverAddress("127.0.0.1:3009").optional()
    .describe("Serves while every destination is down; never checked.").meta({ defaultText: "none" }),
  healthCheck: healthCheck.optional()
    .describe("Check of the destinations that have none of their own.")
    .meta({
      defaultText: "`{type: tcp}` for TCP, `off` for UDP",
      example: { type: "http", path: "/health" },
    }),
  passive: either("off or a mapping such as {failures: 3}", [word("off"), passive]).prefault({}).describe(
    "Live traffic as a witness: failed connects count. `off` switches it off.",
  ).meta({ example: { failures: 5 } }),
};

const connections = {
  engine: choice("engine", ["auto", "native", "portable", "packet"]).default(SERVICE.engine).describe(
    "What moves the bytes: `native` is the fast engine (Linux, `--allow-ffi`), `portable` works everywhere, `packet` forwards packets (Linux, CAP_NET_RAW, section `packet`); `auto` takes the best there is.",
  ),
  connectTimeout: duration({ least: "10ms" }).prefault(SERVICE.connectTimeout)
    .describe("Wait for the real server to answer a connect."),
  idleTimeout: duration({ least: "10ms" }).optional()
    .describe("A connection that is quiet for so long is reset.").meta({ defaultText: "`timeouts`" }),
  retries: integer(0, 10).default(SERVICE.retries)
    .describe("How many other destinations are tried after a failed connect; 0 is the kernel's way."),
  clientAddress: choice("clientAddress", ["none", "proxy-v1", "proxy-v2", "transparent"]).default(
    SERVICE.clientAddress,
  )
    .describe(
      "How the real server learns the client's address: by a PROXY header, which it must expect, or because lvsd connects from that address (`transparent`: native engine, CAP_NET_ADMIN, see [engines](engines.md#the-clients-own-address)). TCP only.",
    ),
  acceptProxyFrom: list(prefix(), "[10.0.0.0/8]").prefault([])
    .describe("Clients that must send a PROXY header, and whose header is believed. TCP only.")
    .meta({ example: ["10.0.0.0/8", "fd00::/8"] }),
  maxConnections: integer(1, LIMITS.connectionEntries).optional()
    .describe("Connections at once. TCP only.")
    .meta({ defaultText: "no limit", example: 1_000 }),
  whenFull: choice("whenFull", ["queue", "refuse"]).default(SERVICE.whenFull).describe(
    `Beyond \`maxConnections\`: up to ${LIMITS.heldConnections} clients wait for their turn, or are reset. TCP only.`,
  ),
  queueTimeout: duration({ least: "10ms" }).prefault(SERVICE.queueTimeout)
    .describe("Longest wait for a turn; then the client is reset. TCP only."),
  maxSessions: integer(1, LIMITS.udpSessionsPerService).default(SERVICE.maxSessions)
    .describe("Sessions at once; the least recently used one gives way. UDP only."),
  tcp: tcpOptions.optional()
    .describe("Options of the sockets of the native engine, by the kernel's words. TCP only.")
    .meta({ defaultText: "the kernel's", example: { userTimeout: "30s" } }),
};

const access = {
  allow: list(prefix(), "[10.0.0.0/8]").prefault([])
    .describe("Clients that may connect, and nobody else; empty: everybody. Becomes a rule.")
    .meta({ example: ["10.0.0.0/8", "fd00::/8"] }),
  deny: list(prefix(), "[203.0.113.0/24]").prefault([])
    .describe("Clients that may not connect, even when `allow` has them. Becomes a rule.")
    .meta({ example: ["203.0.113.0/24"] }),
  limit: limit.optional()
    .describe(
      "New connections: `100/s` for all, `{rate: 10/s, per: source}` for each client. Becomes a rule.",
    )
    .meta({ defaultText: "no limit", example: { rate: "10/s", per: "source" } }),
};

/** A virtual service. */
export const serviceSection = section({
  listen: listenPlace.describe(
    "The virtual address. `:8080` is every address, IPv6 and IPv4; `0.0.0.0:8080` every IPv4 address; port 0 any free port.",
  ),
  name: oneLine("web", 64).optional().describe("Name in log, status and metrics.")
    .meta({ defaultText: "`listen`, with `/udp` behind it for UDP" }),
  mark: integer(1, 2 ** 32 - 1).optional().describe(
    "Firewall mark: one service behind several listeners (`listen: [...]`), or behind those that MARK rules name (`listen: off`).",
  ).meta({ defaultText: "none", example: 7 }),
  protocol: choice("protocol", ["tcp", "udp"]).default(SERVICE.protocol).describe("Protocol."),
  scheduler: choice("scheduler", SCHEDULER_NAMES).default(SERVICE.scheduler)
    .describe("How a destination is chosen for a new connection."),
  flags: list(choice("flag", Object.keys(SCHEDULER_FLAGS)), "[sh-fallback]").prefault([])
    .describe("Scheduler flags, `-b` of ipvsadm. For the schedulers sh and mh only.")
    .meta({ example: ["sh-fallback"] }),
  mode: choice("mode", FORWARDING_METHOD_NAMES).default(SERVICE.mode)
    .describe("Forwarding method. dr and tun allow no port mapping."),
  require: choice("require", ["any", "real"]).default(SERVICE.require).describe(
    "`real`: lvsd refuses to start, or to reload, when the mode would only be emulated here.",
  ),
  persistence: persistence.optional().describe(
    "A client's connections go to one destination: `5m`, or `{timeout: 5m, netmask: 24}`.",
  ).meta({ defaultText: "off", example: "5m" }),
  onePacket: flag().default(SERVICE.onePacket).describe("Schedule every datagram by itself. UDP only."),
  ...connections,
  ...access,
  ...health,
  destinations: mayBeEmpty(list(destination, "[127.0.0.1:3001]").prefault([]))
    .describe("The real servers, in order of addition: `127.0.0.1:3001`, `127.0.0.1:3001@3` or a mapping.")
    .meta({ example: ["127.0.0.1:3001", "127.0.0.1:3002@3"] }),
}, {
  sendProxy: "sendProxy is clientAddress now: proxy-v1, proxy-v2 or none",
  port: 'a service has no "port"; write it behind the address: listen: 127.0.0.1:8080',
  weight: 'a service has no "weight"; it belongs to a destination',
  to: 'a service has no "to"; the real servers are listed under "destinations"',
  servers: 'a service has no "servers"; they are listed under "destinations"',
  backends: 'a service has no "backends"; they are listed under "destinations"',
}).describe("A virtual service.");

/** A service as it was read. */
export type WrittenService = z.output<typeof serviceSection>;
