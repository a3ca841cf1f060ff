/**
 * Puts the admin API on its two doors: the HTTP address and the control socket.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { SystemError } from "../errors.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { type Access, createAdminApp } from "./app.ts";
import { ControlClient } from "./client.ts";
import { bindControlSocket, fileIdentity } from "./control_socket.ts";
import { assertListenAllowed } from "./guard.ts";
import { HttpListener, type ListenPlace } from "./http_listener.ts";
import type { SocketPlace } from "./socket_path.ts";
import type { StatusSource } from "./source.ts";
import type { ToolRunner } from "./tool.ts";

/** A live daemon answers in a few milliseconds; one that hangs is named without its pid. */
const OWNER_WAIT_MS = 1_000;

export interface AdminServerOptions {
  readonly source: StatusSource & ToolRunner;
  readonly version: string;
  readonly clock: Clock;
  /** Told of an error that is a defect. */
  readonly onDefect: (error: unknown) => void;
}

/** One open door of the admin API. */
export interface AdminDoor extends AsyncDisposable {
  /** `127.0.0.1:9180`, or the socket's path. */
  readonly address: string;
  /** Lets requests under way end, for at most `LIMITS.adminCloseMs`. */
  close(): Promise<void>;
}

/**
 * Opens the HTTP address. Port 0 takes any free port; `address` tells which.
 *
 * @throws {SystemError} `ADMIN_TOKEN_MISSING`, `ADDRESS_IN_USE`, `ADDRESS_NOT_LOCAL`, `PERMISSION_DENIED`
 * @throws {ValueError} `ADMIN_TOKEN_INVALID`
 */
export function openAdminAddress(
  listen: Endpoint,
  token: string | undefined,
  options: AdminServerOptions,
): AdminDoor {
  assertListenAllowed(listen, token);
  const access: Access = token === undefined ? { kind: "loopback" } : { kind: "token", token };
  const place = { host: listen.address.toString(), port: listen.port };
  try {
    const listener = open(place, access, options);
    const address = formatEndpoint({ address: listen.address, port: listener.port });
    return door(address, () => listener.close());
  } catch (error) {
    throw listenError(error, formatEndpoint(listen));
  }
}

/**
 * Opens the control socket with mode 0600, in place of one that a dead process left.
 *
 * @throws {SystemError} `SOCKET_IN_USE` (names the pid), `SOCKET_PATH_TAKEN`, `SOCKET_PATH_TOO_LONG`,
 * `SOCKET_DIRECTORY_UNSAFE`, `SOCKET_UNUSABLE`, `PERMISSION_DENIED`
 */
export async function openControlSocket(place: SocketPlace, options: AdminServerOptions): Promise<AdminDoor> {
  const { path } = place;
  const listener = await bindControlSocket(
    place,
    (bindingPath) => open({ path: bindingPath }, { kind: "owner" }, options),
    (socketPath) => ownerOf(socketPath, options.clock),
  );
  const identity = fileIdentity(path);
  return door(path, async () => {
    const ours = identity !== undefined && fileIdentity(path) === identity;
    // Before the listener closes: afterwards a successor may already have put its own socket there.
    if (ours) Deno.removeSync(path);
    await listener.close();
  });
}

function open(place: ListenPlace, access: Access, options: AdminServerOptions): HttpListener {
  const { source, version, onDefect, clock } = options;
  return HttpListener.open(place, createAdminApp({ source, version, access, onDefect }), clock);
}

function door(address: string, closeNow: () => Promise<void>): AdminDoor {
  let closing: Promise<void> | undefined;
  const close = () => closing ??= closeNow();
  return { address, close, [Symbol.asyncDispose]: close };
}

async function ownerOf(socketPath: string, clock: Clock): Promise<number | undefined> {
  try {
    return (await new ControlClient({ socketPath }, { clock, waitMs: OWNER_WAIT_MS }).status()).pid;
  } catch {
    return undefined;
  }
}

const LISTEN_ERRORS: Readonly<Record<string, readonly [code: string, what: string]>> = {
  EADDRINUSE: ["ADDRESS_IN_USE", "is in use by another program (another lvsd?)"],
  EADDRNOTAVAIL: ["ADDRESS_NOT_LOCAL", "is not an address of this host"],
  EACCES: ["PERMISSION_DENIED", "may not be used without privilege (ports below 1024)"],
};

function listenError(error: unknown, address: string): unknown {
  const [code, what] = LISTEN_ERRORS[String((error as { code?: unknown } | null)?.code)] ?? [];
  if (code === undefined || what === undefined) return error;
  const message = `admin address ${address} ${what}; set admin.listen to another address, or to off`;
  return new SystemError(code, message, { address }, error);
}
