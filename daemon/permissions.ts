/**
 * What Deno has to allow for one configuration, exactly, and what of it is missing.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { bindingPathOf } from "../admin/control_socket.ts";
import type { Config, DestinationConfig, HealthCheckConfig, ServiceConfig } from "../config/model.ts";
import { programFolder } from "../engines/native/thread_stock.ts";
import { formatEndpoint, isNamed } from "../net/endpoint.ts";
import { OWN_VARIABLES } from "./permission_table.ts";

type PermissionName = Deno.PermissionDescriptor["name"];

/** One permission; without values it is asked for as a whole. */
interface Need {
  readonly name: PermissionName;
  readonly values: readonly string[];
}

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
  return needsOf(config, surroundings).map(flagOf);
}

/** The flags for what this process may not do of that. */
export function missingFor(config: Config, surroundings: RunSurroundings): string[] {
  return needsOf(config, surroundings).flatMap((need) => {
    const { name, values } = need;
    if (values.length === 0) return isGranted(name, undefined) ? [] : [flagOf(need)];
    const missing = values.filter((it) => !isGranted(name, it));
    return missing.length === 0 ? [] : [flagOf({ name, values: missing })];
  });
}

function needsOf(config: Config, surroundings: RunSurroundings): Need[] {
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
    need("env", [...OWN_VARIABLES, ...variables, ...(programs.length > 0 ? ["PATH"] : [])]),
    need("sys", services.some(verifies) ? [] : ["uid", "networkInterfaces"]),
    need("read", [...folder, ...owned, ...keyFiles, ...(hasFfi ? [programFolder()] : []), "/dev/null"]),
    ...(owned.length > 0 ? [need("write", owned)] : []),
    ...(net.length > 0 ? [need("net", services.some(hasNames) ? [] : net)] : []),
    ...(programs.length > 0 ? [need("run", programs)] : []),
    ...(hasFfi ? [need("ffi", [])] : []),
  ];
}

function need(name: PermissionName, values: readonly string[]): Need {
  return { name, values: [...new Set(values)].sort() };
}

function flagOf({ name, values }: Need): string {
  return values.length === 0 ? `--allow-${name}` : `--allow-${name}=${values.join(",")}`;
}

/** Every permission has another word for what it is about. */
const VALUE_KEYS: Readonly<Record<PermissionName, string>> = {
  env: "variable",
  sys: "kind",
  read: "path",
  write: "path",
  net: "host",
  run: "command",
  ffi: "path",
  import: "host",
};

function isGranted(name: PermissionName, value: string | undefined): boolean {
  const descriptor = value === undefined ? { name } : { name, [VALUE_KEYS[name]]: value };
  return Deno.permissions.querySync(descriptor as Deno.PermissionDescriptor).state === "granted";
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

function verifies(service: ServiceConfig): boolean {
  return checksOf(service).some((it) => it !== undefined && it !== false && it.type === "https" && it.verify);
}

function checksOf({ healthCheck, destinations }: ServiceConfig): (HealthCheckConfig | false | undefined)[] {
  return [healthCheck, ...destinations.map((it) => it.healthCheck)];
}

function programsOf(service: ServiceConfig): string[] {
  return checksOf(service).flatMap((it) =>
    it !== undefined && it !== false && it.type === "exec" ? it.command.slice(0, 1) : []
  );
}
