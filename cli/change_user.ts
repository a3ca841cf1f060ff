/**
 * `lvsd run --user NAME`: root prepares what only root can, and goes on as that user with the capabilities in use.
 *
 * @module
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { controlSocketPlace, currentSurroundings } from "../admin/socket_path.ts";
import type { Config } from "../config/model.ts";
import { SystemError } from "../errors.ts";
import { type CapabilityName, takeOn } from "../sys/change_user.ts";
import { ACCESS, ProcessCalls, type UserEntry } from "../sys/process_calls.ts";

const FIRST_FREE_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
/** The kernel's default. */
const FIRST_FREE_PORT_DEFAULT = 1_024;
/** Of a folder made for the user. */
const PRIVATE = 0o700;

/** What `lvsd run` was asked for. */
export interface UserWish {
  readonly user: string;
  readonly group?: string | undefined;
  readonly config: Config;
  readonly stateFile?: string | undefined;
  /** No file says which services there will be: ipvsadm makes them. */
  readonly servicesCome: boolean;
}

/**
 * Starts the program anew as the user and does not return; returns where the process is that user already.
 *
 * @throws {SystemError} `USER_UNKNOWN`, `PERMISSION_DENIED`, `USER_LACKS_ACCESS`, `USER_CHANGE_FAILED`, `FFI_UNAVAILABLE`
 */
export function becomeUser(wish: UserWish): void {
  using calls = ProcessCalls.open();
  const user = calls.findUser(wish.user);
  if (user === undefined) throw unknown("user", wish.user);
  if (Deno.uid() === user.uid) return;
  if (Deno.uid() !== 0) {
    throw new SystemError(
      "PERMISSION_DENIED",
      `only root can run as another user: start lvsd as root, or as ${user.name} without --user`,
      { user: user.name },
    );
  }
  const gid = wish.group === undefined ? user.gid : calls.findGroup(wish.group);
  if (gid === undefined) throw unknown("group", wish.group ?? "");
  const folders = foldersOf(wish);
  for (const { path, isOurs } of folders) provideFolder(path, isOurs, user.uid, gid);
  const words = new TextDecoder().decode(calls.readKernelFile("/proc/self/cmdline")).split("\0").slice(0, -1);
  const capabilities = capabilitiesFor(wish, firstFreePort(calls));
  takeOn(calls, { uid: user.uid, gid, groups: calls.groupsOf(user.name, gid), capabilities });
  assertAccess(calls, wish, user, folders.map((it) => it.path));
  const failed = calls.execute(Deno.execPath(), words);
  throw new SystemError("USER_CHANGE_FAILED", `${Deno.execPath()} cannot be started anew`, {
    errno: -failed,
  });
}

/**
 * The capabilities that a configuration needs, and no more.
 *
 * @param firstFreePort ports from this one are free to all: `ip_unprivileged_port_start`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { loadConfig } from "../config/load.ts";
 *
 * const at = (listen: string) => loadConfig(`services: [{listen: ${listen}}]`, "lvsd.yaml", () => undefined);
 * assert.deepEqual(capabilitiesFor({ config: at(":80"), servicesCome: false }, 1_024), ["CAP_NET_BIND_SERVICE"]);
 * assert.deepEqual(capabilitiesFor({ config: at(":8080"), servicesCome: false }, 1_024), []);
 * ```
 */
export function capabilitiesFor(
  { config, stateFile, servicesCome }: Pick<UserWish, "config" | "stateFile" | "servicesCome">,
  firstFreePort: number,
): CapabilityName[] {
  const { services, admin } = config;
  const endpoints = services.flatMap((it) => it.mark === undefined ? [it.listen] : it.mark.listens);
  const ports = [...endpoints, ...(admin.listen === undefined ? [] : [admin.listen])].map((it) => it.port);
  // Port 0 is any free one. What a state file or ipvsadm will bring is not known: any port may be among it.
  const bindsLow = ports.some((it) => it > 0 && it < firstFreePort);
  const isTransparent = services.some((it) => it.clientAddress === "transparent");
  const bind = bindsLow || servicesCome || stateFile !== undefined;
  return [
    ...(bind ? ["CAP_NET_BIND_SERVICE"] as const : []),
    ...(config.packet === undefined ? [] : ["CAP_NET_ADMIN", "CAP_NET_RAW"] as const),
    ...(isTransparent && config.packet === undefined ? ["CAP_NET_ADMIN"] as const : []),
  ];
}

function firstFreePort(calls: ProcessCalls): number {
  const text = new TextDecoder().decode(calls.readKernelFile(FIRST_FREE_PORT));
  return /^\d+\s*$/.test(text) ? Number(text) : FIRST_FREE_PORT_DEFAULT;
}

interface Folder {
  readonly path: string;
  /** lvsd's own by name, so that its owner may be changed. */
  readonly isOurs: boolean;
}

/** Folders that the user must be able to write: of the state file, and of the control socket, which stays at root's place. */
function foldersOf({ config, stateFile }: UserWish): Folder[] {
  const folders: Folder[] = stateFile === undefined ? [] : [{ path: dirname(stateFile), isOurs: false }];
  const { socket } = config.admin;
  if (socket === false) return folders;
  if (socket !== undefined) return [...folders, { path: dirname(socket), isOurs: false }];
  const surroundings = currentSurroundings();
  const place = controlSocketPlace(surroundings);
  if (place === undefined) return folders;
  const isDefault = (surroundings.variable("LVSD_SOCKET") ?? "") === "";
  // The new process is not root, and would look elsewhere; root's `lvsd status` looks here.
  Deno.env.set("LVSD_SOCKET", place.path);
  return [...folders, { path: dirname(place.path), isOurs: isDefault }];
}

function provideFolder(path: string, isOurs: boolean, uid: number, gid: number): void {
  const isThere = exists(path);
  if (!isThere) Deno.mkdirSync(path, { recursive: true, mode: PRIVATE });
  if (!isThere || isOurs) Deno.chownSync(path, uid, gid);
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Asked after the change, so that the kernel answers for the user. */
function assertAccess(
  calls: ProcessCalls,
  { config, stateFile }: UserWish,
  user: UserEntry,
  folders: readonly string[],
): void {
  const demand = (path: string, how: number, what: string, remedy: string) => {
    if (calls.mayAccess(path, how)) return;
    throw new SystemError("USER_LACKS_ACCESS", `user ${user.name} cannot ${what} ${path}; ${remedy}`, {
      path,
    });
  };
  const elsewhere = "put it where that user may read it, such as /opt or /usr/local";
  demand(Deno.execPath(), ACCESS.read | ACCESS.execute, "run", elsewhere);
  const program = fileURLToPath(import.meta.url);
  // Inside an executable of deno compile it is no file of the host's.
  if (!program.startsWith("/tmp/deno-compile-")) demand(program, ACCESS.read, "read", elsewhere);
  if (config.file !== "") {
    demand(
      config.file,
      ACCESS.read,
      "read",
      `a reload would fail: chgrp it to a group of the user and chmod g+r`,
    );
  }
  for (const path of folders) {
    demand(path, ACCESS.read | ACCESS.write | ACCESS.execute, "write into", `chown ${user.name} ${path}`);
  }
  if (stateFile !== undefined && calls.mayAccess(stateFile, ACCESS.exists)) {
    demand(stateFile, ACCESS.read, "read", `chown ${user.name} ${stateFile}`);
  }
}

function unknown(what: string, value: string): SystemError {
  return new SystemError(
    "USER_UNKNOWN",
    `this host knows no ${what} "${value}"; see: getent ${what === "user" ? "passwd" : "group"}`,
    { value },
  );
}
