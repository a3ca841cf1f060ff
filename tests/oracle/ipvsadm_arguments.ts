/**
 * The ipvsadm commands of the recordings, as changes to a director. Only what recordings contain is understood.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { ValueError } from "../../errors.ts";
import type { DestinationSpec, ServiceKey, ServiceSpec } from "../../director/specs.ts";
import { type Endpoint, isNamed, parseEndpoint } from "../../net/endpoint.ts";
import { PROTOCOL } from "../../net/flow.ts";
import { IpAddress } from "../../net/address.ts";
import { SCHEDULER_FLAG } from "../../schedulers/scheduler.ts";

/** One change. Durations in milliseconds; 0 leaves a time-out as it is. */
export type Command =
  | { readonly kind: "addService" | "editService"; readonly spec: ServiceSpec }
  | { readonly kind: "deleteService"; readonly key: ServiceKey }
  | {
    readonly kind: "addDestination" | "editDestination";
    readonly key: ServiceKey;
    readonly spec: DestinationSpec;
  }
  | { readonly kind: "deleteDestination"; readonly key: ServiceKey; readonly endpoint: Endpoint }
  | {
    readonly kind: "setTimeouts";
    readonly tcpMs: number;
    readonly tcpFinMs: number;
    readonly udpMs: number;
  };

const COMMANDS = {
  A: "addService",
  E: "editService",
  D: "deleteService",
  a: "addDestination",
  e: "editDestination",
  d: "deleteDestination",
} as const;

const OPTIONS = {
  A: { type: "boolean", short: "A" },
  E: { type: "boolean", short: "E" },
  D: { type: "boolean", short: "D" },
  a: { type: "boolean", short: "a" },
  e: { type: "boolean", short: "e" },
  d: { type: "boolean", short: "d" },
  set: { type: "boolean" },
  tcp: { type: "string", short: "t" },
  udp: { type: "string", short: "u" },
  mark: { type: "string", short: "f" },
  ipv6: { type: "boolean", short: "6" },
  scheduler: { type: "string", short: "s" },
  persistent: { type: "string", short: "p" },
  netmask: { type: "string", short: "M" },
  onePacket: { type: "boolean", short: "o" },
  flags: { type: "string", short: "b" },
  server: { type: "string", short: "r" },
  nat: { type: "boolean", short: "m" },
  dr: { type: "boolean", short: "g" },
  tun: { type: "boolean", short: "i" },
  weight: { type: "string", short: "w" },
  upper: { type: "string", short: "x" },
  lower: { type: "string", short: "y" },
} as const;

const FLAGS: Readonly<Record<string, number>> = {
  "sh-fallback": SCHEDULER_FLAG.flag1,
  "mh-fallback": SCHEDULER_FLAG.flag1,
  "flag-1": SCHEDULER_FLAG.flag1,
  "sh-port": SCHEDULER_FLAG.flag2,
  "mh-port": SCHEDULER_FLAG.flag2,
  "flag-2": SCHEDULER_FLAG.flag2,
  "flag-3": SCHEDULER_FLAG.flag3,
};

type Values = ReturnType<typeof read>["values"];

/** @throws {ValueError} `COMMAND_UNKNOWN` for what no recording should contain. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = read(args);
  if (values.set) {
    const [tcpMs = NaN, tcpFinMs = NaN, udpMs = NaN] = positionals.map((seconds) => 1_000 * Number(seconds));
    return { kind: "setTimeouts", tcpMs, tcpFinMs, udpMs };
  }
  const letter = (["A", "E", "D", "a", "e", "d"] as const).find((it) => values[it]);
  if (letter === undefined) throw unknown(args);
  const key = serviceKey(values, args);
  const kind = COMMANDS[letter];
  switch (kind) {
    case "addService":
    case "editService":
      return { kind, spec: serviceSpec(key, values) };
    case "deleteService":
      return { kind, key };
    case "addDestination":
    case "editDestination":
      return { kind, key, spec: destinationSpec(key, values, args) };
    case "deleteDestination":
      return { kind, key, endpoint: serverEndpoint(key, values, args) };
  }
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch {
    throw unknown(args);
  }
}

function serviceKey(values: Values, args: readonly string[]): ServiceKey {
  if (values.mark !== undefined) return { mark: Number(values.mark), family: values.ipv6 ? 6 : 4 };
  const text = values.tcp ?? values.udp;
  if (text === undefined) throw unknown(args);
  return { ...endpoint(text, args), protocol: values.tcp === undefined ? PROTOCOL.udp : PROTOCOL.tcp };
}

function serviceSpec(key: ServiceKey, values: Values): ServiceSpec {
  const flags = (values.flags ?? "").split(",").reduce((sum, name) => sum | (FLAGS[name] ?? 0), 0);
  const scheduler = values.scheduler ?? "wlc";
  const spec = { key, scheduler, flags, onePacket: values.onePacket ?? false };
  if (values.persistent === undefined) return spec;
  const timeoutMs = 1_000 * Number(values.persistent);
  const family = "mark" in key ? key.family : key.address.family;
  if (values.netmask === undefined) {
    return { ...spec, persistence: { timeoutMs, prefixLength: family === 6 ? 128 : 32 } };
  }
  return {
    ...spec,
    persistence: family === 6
      ? { timeoutMs, prefixLength: Number(values.netmask) }
      : { timeoutMs, netmask: IpAddress.parse(values.netmask).words[0] ?? 0 },
  };
}

function destinationSpec(key: ServiceKey, values: Values, args: readonly string[]): DestinationSpec {
  return {
    ...serverEndpoint(key, values, args),
    method: values.nat ? "nat" : values.tun ? "tun" : "dr",
    weight: Number(values.weight ?? 1),
    upperThreshold: Number(values.upper ?? 0),
    lowerThreshold: Number(values.lower ?? 0),
  };
}

/** Without a port it is the service's; so it is for DR and TUN whatever was written, except under a mark or port 0. */
function serverEndpoint(key: ServiceKey, values: Values, args: readonly string[]): Endpoint {
  const servicePort = "mark" in key ? 0 : key.port;
  const server = endpoint(values.server ?? "", args, servicePort);
  return values.nat || servicePort === 0 || values.d ? server : { ...server, port: servicePort };
}

function endpoint(text: string, args: readonly string[], defaultPort?: number): Endpoint {
  const parsed = parseEndpoint(text, defaultPort === undefined ? {} : { defaultPort });
  if (isNamed(parsed)) throw unknown(args);
  return parsed;
}

function unknown(args: readonly string[]): ValueError {
  return new ValueError("COMMAND_UNKNOWN", `the replay does not know this use of ipvsadm: ${args.join(" ")}`);
}
