/**
 * What Deno has to allow: as a table for people, and exactly for one configuration.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { bindingPathOf } from "../admin/control_socket.ts";
import type { Config, DestinationConfig, ServiceConfig } from "../config/model.ts";
import { programFolder } from "../engines/native/worker_thread.ts";
import { formatEndpoint, isNamed } from "../net/endpoint.ts";

/** Environment variables that lvsd itself asks for; the last two are the YAML parser's. */
export const OWN_VARIABLES: readonly string[] = [
  "LVSD_BUILD",
  "LVSD_SOCKET",
  "LVSD_TOKEN",
  "NOTIFY_SOCKET",
  "NO_COLOR",
  "TEMP",
  "TMP",
  "TMPDIR",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "XDG_RUNTIME_DIR",
  "LOG_STREAM",
  "LOG_TOKENS",
];

/** One row of the table in docs/deploy.md. */
export interface Feature {
  readonly name: string;
  readonly permissions: readonly string[];
  /** What happens without them. */
  readonly without: string;
}

const REFUSED = "refused, the message names the flag";

/** Feature by feature; words in capitals stand for values of the configuration. */
export const FEATURES: readonly Feature[] = [
  { name: "every command", permissions: [`--allow-env=${OWN_VARIABLES.join(",")}`], without: REFUSED },
  { name: "`lvsd run`", permissions: ["--allow-sys=uid,networkInterfaces"], without: REFUSED },
  { name: "a config file, `--watch`", permissions: ["--allow-read=FOLDER"], without: REFUSED },
  { name: "`${NAME}` in it", permissions: ["--allow-env=NAME"], without: REFUSED },
  {
    name: "a service, the admin address",
    permissions: ["--allow-net=ADDRESS:PORT"],
    without: "unbound; admin: refused",
  },
  {
    name: "a destination by address",
    permissions: ["--allow-net=ADDRESS:PORT"],
    without: "down, its reason names the flag",
  },
  {
    name: "a destination by name",
    permissions: ["--allow-net"],
    without: "no address; its addresses are not known before",
  },
  {
    name: "a service over UDP",
    permissions: ["--allow-net=0.0.0.0:0,[::]:0"],
    without: "no sessions, the log names the flag",
  },
  {
    name: "the control socket",
    permissions: ["--allow-read=FOLDER", "--allow-write=FOLDER", "--allow-net=unix:PATH,unix:PATH~/s"],
    without: REFUSED,
  },
  { name: "`--state FILE`", permissions: ["--allow-read=FOLDER", "--allow-write=FOLDER"], without: REFUSED },
  {
    name: "health checks of type `exec`",
    permissions: ["--allow-run=PROGRAM", "--allow-env=PATH"],
    without: "down, its reason names the flag",
  },
  {
    name: "the native and the packet engine, systemd, the limit of descriptors",
    permissions: ["--allow-ffi", "--allow-read=PROGRAM"],
    without: "the portable engine, and the log says so; systemd is not told; no limit is known",
  },
  { name: "`--user`", permissions: ["--allow-ffi"], without: REFUSED },
  {
    name: "noticing that no descriptor is left",
    permissions: ["--allow-read=/dev/null"],
    without: "not noticed",
  },
  {
    name: "`lvsd status` and others that ask a daemon",
    permissions: ["--allow-sys=uid", "--allow-read=PATH", "--allow-write=PATH", "--allow-net=unix:PATH"],
    without: REFUSED,
  },
  { name: "`lvsd record -o FILE`", permissions: ["--allow-write=FILE"], without: REFUSED },
  {
    name: "`lvsd doctor`, `lvsd realserver`",
    permissions: ["--allow-all"],
    without: "they see less of the host",
  },
];

/** What a run is started with, beside its configuration. */
export interface RunSurroundings {
  /** Variables that the file names. */
  readonly variables: readonly string[];
  /** Path of the control socket where the configuration does not say. */
  readonly socketPath: string | undefined;
  readonly stateFile?: string | undefined;
  /** Whether there is FFI to be used. */
  readonly hasFfi: boolean;
}

/**
 * The flags for one configuration: these and no others.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { loadConfig } from "../config/load.ts";
 *
 * const config = loadConfig("services: [{listen: 10.0.0.1:80, destinations: [10.0.0.2]}]", "", () => undefined);
 * const flags = permissionsFor(config, { variables: [], socketPath: undefined, hasFfi: false });
 * assert.ok(flags.includes("--allow-net=10.0.0.1:80,10.0.0.2:80,127.0.0.1:9180"));
 * ```
 */
export function permissionsFor(config: Config, surroundings: RunSurroundings): string[] {
  const { admin, services } = config;
  const { socketPath, stateFile, variables, hasFfi } = surroundings;
  const socket = admin.socket === false ? undefined : admin.socket ?? socketPath;
  const owned = [socket, stateFile].filter((it) => it !== undefined).map((it) => dirname(resolve(it)));
  const programs = services.flatMap(programsOf);
  const net = [
    ...services.flatMap(addressesOf),
    ...(admin.listen === undefined ? [] : [formatEndpoint(admin.listen)]),
    ...(socket === undefined ? [] : [`unix:${resolve(socket)}`, `unix:${resolve(bindingPathOf(socket))}`]),
  ];
  const keyFiles = services.flatMap((it) => it.destinations)
    .flatMap(({ tunnelTo }) => tunnelTo === undefined ? [] : [resolve(tunnelTo.keyFile)]);
  const folder = config.file === "" ? [] : [dirname(resolve(config.file))];
  return [
    flag("env", [...OWN_VARIABLES, ...variables, ...(programs.length > 0 ? ["PATH"] : [])]),
    flag("sys", ["uid", "networkInterfaces"]),
    flag("read", [...folder, ...owned, ...keyFiles, ...(hasFfi ? [programFolder()] : []), "/dev/null"]),
    ...(owned.length > 0 ? [flag("write", owned)] : []),
    ...(net.length > 0 ? [services.some(hasNames) ? "--allow-net" : flag("net", net)] : []),
    ...(programs.length > 0 ? [flag("run", programs)] : []),
    ...(hasFfi ? ["--allow-ffi"] : []),
  ];
}

function flag(name: string, values: readonly string[]): string {
  return `--allow-${name}=${[...new Set(values)].sort().join(",")}`;
}

function addressesOf(service: ServiceConfig): string[] {
  const { mark, listen, protocol, destinations, sorryServer } = service;
  const listens = (mark?.listens ?? [listen]).flatMap(({ address, port }) =>
    // On a host without IPv6 the wildcard is IPv4's.
    address.isUnspecified ? [`[::]:${port}`, `0.0.0.0:${port}`] : [formatEndpoint({ address, port })]
  );
  const sorry = sorryServer === undefined || isNamed(sorryServer) ? [] : [formatEndpoint(sorryServer)];
  const sessions = protocol === "udp" ? ["0.0.0.0:0", "[::]:0"] : [];
  return [...listens, ...destinations.flatMap((it) => portsOf(it, service)), ...sorry, ...sessions];
}

function portsOf({ endpoint, healthCheck, tunnelTo }: DestinationConfig, service: ServiceConfig): string[] {
  if (isNamed(endpoint)) return [];
  const check = healthCheck === false ? undefined : healthCheck ?? service.healthCheck;
  const { address, port } = endpoint;
  return [port, check?.port ?? port, tunnelTo?.port ?? port].map((it) =>
    formatEndpoint({ address, port: it })
  );
}

function hasNames({ destinations, sorryServer }: ServiceConfig): boolean {
  return destinations.some((it) => isNamed(it.endpoint)) ||
    (sorryServer !== undefined && isNamed(sorryServer));
}

function programsOf(service: ServiceConfig): string[] {
  const checks = [service.healthCheck, ...service.destinations.map((it) => it.healthCheck)];
  return checks.flatMap((it) =>
    it !== undefined && it !== false && it.type === "exec" ? it.command.slice(0, 1) : []
  );
}
