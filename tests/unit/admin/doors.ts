/**
 * Real doors of the admin API for tests, and a curl to knock with.
 */
import { SystemClock } from "../../../clock.ts";
import { IpAddress } from "../../../net/address.ts";
import type { Endpoint } from "../../../net/endpoint.ts";
import {
  type AdminDoor,
  type AdminServerOptions,
  openAdminAddress,
  openControlSocket,
} from "../../../admin/server.ts";
import { FakeSource } from "./fake_source.ts";

export const LOOPBACK_ANY_PORT: Endpoint = { address: IpAddress.parse("127.0.0.1"), port: 0 };

/** A directory of its own for control sockets, removed at the end. */
export class SocketDirectory implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "lvsd-admin-" });
  readonly socketPath: string = `${this.path}/control.sock`;

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

export function serverOptions(source: FakeSource = new FakeSource()): AdminServerOptions {
  return {
    source,
    version: "9.9.9",
    clock: new SystemClock(),
    onDefect: (error) => {
      throw error;
    },
  };
}

export function openTcp(source?: FakeSource, token?: string): AdminDoor {
  return openAdminAddress(LOOPBACK_ANY_PORT, token, serverOptions(source));
}

export function openSocket(path: string, source?: FakeSource): Promise<AdminDoor> {
  return openControlSocket({ path, sharedParent: false }, serverOptions(source));
}

/** Port of an address such as 127.0.0.1:9180. */
export function portOf(door: AdminDoor): number {
  return Number(door.address.slice(door.address.lastIndexOf(":") + 1));
}

export interface CurlAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: string;
}

/** Runs the real curl; its own failure gives status 0. */
export async function curl(...words: string[]): Promise<CurlAnswer> {
  const { stdout } = await new Deno.Command("curl", {
    args: ["--silent", "--max-time", "10", "--include", ...words],
    stdout: "piped",
    stderr: "null",
  }).output();
  // An interim answer such as "100 Continue" comes before the real one.
  const text = new TextDecoder().decode(stdout).replace(/^(HTTP\/1\.1 1\d\d[^\r]*\r\n\r\n)+/, "");
  const end = text.indexOf("\r\n\r\n");
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
    headers: text.slice(0, end),
    body: text.slice(end + 4),
  };
}

/** Whether curl is installed; in CI a missing one is an error of the test that needs it. */
export function isCurlMissing(): boolean {
  try {
    return !new Deno.Command("curl", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return true;
  }
}
