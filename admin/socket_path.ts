/**
 * Where the control socket is: one rule for the daemon that makes it and for the commands that look for it.
 *
 * @module
 */
import os from "node:os";

/** What the rule looks at; a parameter so that a test can be any user on any system. */
export interface SocketSurroundings {
  /** `linux`, `darwin`, `windows`, ... */
  readonly os: string;
  /** User number; `null` where there is none (Windows). */
  readonly uid: number | null;
  /** An environment variable. */
  readonly variable: (name: string) => string | undefined;
  readonly tempDirectory: string;
}

/** Where the socket is, and who answers for its directory. */
export interface SocketPlace {
  readonly path: string;
  /** The directory lies where others may write too (the temp directory): it must be ours alone. */
  readonly sharedParent: boolean;
}

/**
 * `$LVSD_SOCKET`, else `/run/lvsd/control.sock` as root, else `$XDG_RUNTIME_DIR/lvsd/control.sock`, else
 * `lvsd-UID/control.sock` in the temp directory. `undefined` on Windows, which has no Unix sockets for Deno.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const root = { os: "linux", uid: 0, variable: () => undefined, tempDirectory: "/tmp" };
 * assert.equal(controlSocketPlace(root)?.path, "/run/lvsd/control.sock");
 * assert.equal(controlSocketPlace({ ...root, uid: 1000 })?.path, "/tmp/lvsd-1000/control.sock");
 * ```
 */
export function controlSocketPlace(surroundings: SocketSurroundings): SocketPlace | undefined {
  const { os, uid, variable, tempDirectory } = surroundings;
  const chosen = variable("LVSD_SOCKET");
  if (chosen !== undefined && chosen !== "") return { path: chosen, sharedParent: false };
  if (os === "windows" || uid === null) return undefined;
  if (uid === 0) return { path: systemSocketPath(os), sharedParent: false };
  const runtime = variable("XDG_RUNTIME_DIR");
  if (runtime !== undefined && runtime.startsWith("/")) {
    return { path: `${runtime}/lvsd/control.sock`, sharedParent: false };
  }
  return { path: `${tempDirectory}/lvsd-${uid}/control.sock`, sharedParent: true };
}

/** Control socket of a daemon that root started. macOS has no /run. */
export function systemSocketPath(os: string): string {
  return os === "darwin" ? "/var/run/lvsd/control.sock" : "/run/lvsd/control.sock";
}

/** This process' own surroundings. */
export function currentSurroundings(): SocketSurroundings {
  return {
    os: Deno.build.os,
    uid: Deno.uid(),
    variable: (name) => Deno.env.get(name),
    tempDirectory: os.tmpdir(),
  };
}
