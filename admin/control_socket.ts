/**
 * Makes the file of the control socket so that nobody else can use it at any moment, and two daemons never share it.
 *
 * The check for a dead predecessor and the bind happen under a lock on the socket's directory (flock, which the system
 * drops with the process), so that of two daemons that start together one sees the other.
 *
 * @module
 */
import { connect } from "node:net";
import { dirname } from "node:path";
import { SystemError } from "../errors.ts";
import type { SocketPlace } from "./socket_path.ts";

/** Only the owner may connect. */
const SOCKET_MODE = 0o600;
const FOLDER_MODE = 0o700;
/**
 * The socket is bound in a folder of its own beside the path, which nobody else can enter, gets its mode there, and is then
 * renamed: a dead predecessor is replaced without a gap, and Deno, which removes the bound path when the listener closes,
 * cannot take a successor's socket away. (Deno.umask would do for the mode, and takes --allow-sys for everything.)
 */
const FOLDER_SUFFIX = "~";
const NAME_IN_FOLDER = "s";
/** Linux has 108 bytes for the path with its closing zero, macOS and the BSDs 104. */
const PATH_BYTES = (Deno.build.os === "linux" ? 107 : 103) - bindingPathOf("").length;

/** Where the socket for `path` is bound before it is moved there. */
export function bindingPathOf(path: string): string {
  return `${path}${FOLDER_SUFFIX}/${NAME_IN_FOLDER}`;
}

/**
 * Runs `bind` so that nobody else can open the socket that it makes.
 *
 * @param place where the socket goes; its directory is made with mode 0700 when it is missing
 * @param bind listens at the path it is given, which is not yet the final one
 * @param ownerOf asks the live daemon behind a socket for its process number
 * @throws {SystemError} `SOCKET_IN_USE`, `SOCKET_PATH_TAKEN`, `SOCKET_PATH_TOO_LONG`, `SOCKET_DIRECTORY_UNSAFE`,
 * `PERMISSION_DENIED`, `SOCKET_UNUSABLE`
 */
export async function bindControlSocket<T extends AsyncDisposable>(
  place: SocketPlace,
  bind: (path: string) => T,
  ownerOf: (path: string) => Promise<number | undefined>,
): Promise<T> {
  const { path } = place;
  if (new TextEncoder().encode(path).length > PATH_BYTES) {
    throw new SystemError(
      "SOCKET_PATH_TOO_LONG",
      `the control socket's path ${path} is longer than the ${PATH_BYTES} bytes that the system allows; set LVSD_SOCKET to a shorter one`,
      { path },
    );
  }
  try {
    using directory = openDirectory(place);
    await directory.lock(true);
    await assertReplaceable(path, ownerOf);
    return await bindBeside(path, bind);
  } catch (error) {
    throw asSystemError(error, path);
  }
}

/** Whether a live process holds the socket at `path`, or may hold it. */
export async function isSocketTaken(path: string): Promise<boolean> {
  return lstat(path)?.isSocket === true && await isAlive(path);
}

async function bindBeside<T extends AsyncDisposable>(path: string, bind: (path: string) => T): Promise<T> {
  const folder = path + FOLDER_SUFFIX;
  // Left by a process that died between bind and rename; the lock says that nobody is there now.
  if (lstat(folder) !== undefined) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { mode: FOLDER_MODE });
  let bound: T | undefined;
  try {
    bound = bind(bindingPathOf(path));
    Deno.chmodSync(bindingPathOf(path), SOCKET_MODE);
    Deno.renameSync(bindingPathOf(path), path);
    return bound;
  } catch (error) {
    await bound?.[Symbol.asyncDispose]();
    throw error;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Identity of the file at `path`, to tell later whether it is still ours. */
export function fileIdentity(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.lstatSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

function openDirectory({ path, sharedParent }: SocketPlace): Deno.FsFile {
  const directory = dirname(path);
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (sharedParent) assertOwnDirectory(directory);
  return Deno.openSync(directory, { read: true });
}

/** In the temp directory anybody could have made the directory first, and would own what is put into it. */
function assertOwnDirectory(directory: string): void {
  const { isDirectory, uid, mode } = Deno.lstatSync(directory);
  if (isDirectory && uid === Deno.uid() && ((mode ?? 0) & 0o077) === 0) return;
  throw new SystemError(
    "SOCKET_DIRECTORY_UNSAFE",
    `${directory} must be a directory of your own with mode 0700 to hold the control socket; remove it, or set LVSD_SOCKET`,
    { path: directory },
  );
}

/** Nothing is there, or the socket of a dead process. */
async function assertReplaceable(
  path: string,
  ownerOf: (path: string) => Promise<number | undefined>,
): Promise<void> {
  const found = lstat(path);
  if (found === undefined) return;
  if (found.isSocket !== true) {
    throw new SystemError(
      "SOCKET_PATH_TAKEN",
      `${path} exists and is not a socket; remove it, or set LVSD_SOCKET to another path`,
      { path },
    );
  }
  if (!await isAlive(path)) return;
  const pid = await ownerOf(path);
  const owner = pid === undefined ? "another process" : `lvsd with pid ${pid}`;
  throw new SystemError(
    "SOCKET_IN_USE",
    `the control socket ${path} belongs to ${owner}; stop it, or set LVSD_SOCKET (admin.socket in the config) to another path`,
    { path, pid: pid ?? null },
  );
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Only "connection refused" proves that no process holds the socket; a full backlog or no permission does not. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: Error & { code?: string }) => resolve(error.code !== "ECONNREFUSED"));
  });
}

/** What the operating system says becomes an error for people; a defect stays one. */
function asSystemError(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (!(error instanceof Error) || error instanceof SystemError || typeof code !== "string") return error;
  const isRefused = code === "EACCES" || code === "EPERM" || code === "EROFS";
  const what = isRefused ? "no permission to make" : `${error.message}: cannot make`;
  return new SystemError(
    isRefused ? "PERMISSION_DENIED" : "SOCKET_UNUSABLE",
    `${what} the control socket ${path}; set LVSD_SOCKET (admin.socket in the config) to a path you may write`,
    { path },
    error,
  );
}
