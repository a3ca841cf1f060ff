/**
 * Which real programs a test needs, and what happens where they are missing: skipped with the reason on a person's
 * machine, failed under CI.
 */

import { SystemError } from "../../errors.ts";

/** Real programs by the name of their command, with the Debian package that brings them. */
const PEERS = {
  cc: { package: "gcc libc6-dev" },
  curl: { package: "curl" },
  dig: { package: "bind9-dnsutils" },
  dnsmasq: { package: "dnsmasq" },
  haproxy: { package: "haproxy" },
  initdb: { package: "postgresql" },
  iperf3: { package: "iperf3" },
  nginx: { package: "nginx" },
  openssl: { package: "openssl" },
  pen: { package: "pen" },
  pgbench: { package: "postgresql" },
  postgres: { package: "postgresql" },
  prlimit: { package: "util-linux" },
  "redis-benchmark": { package: "redis-tools" },
  "redis-cli": { package: "redis-tools" },
  "redis-server": { package: "redis-server" },
  setpriv: { package: "util-linux" },
  socat: { package: "socat" },
  wrk: { package: "wrk" },
} as const;
export type PeerName = keyof typeof PEERS;

/** Where Debian puts servers that are not on everybody's PATH; PostgreSQL has a folder for each major version. */
const SERVER_FOLDERS: readonly string[] = [
  "/usr/sbin",
  "/sbin",
  "/usr/local/sbin",
  "/usr/lib/postgresql/*/bin",
];

/** Path of a peer's program; undefined when it is not installed. */
export function findPeer(name: PeerName): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat(SERVER_FOLDERS).flatMap(expand);
  return folders.map((folder) => `${folder}/${name}`).find(isFile);
}

/**
 * Path of a peer's program.
 *
 * @throws {SystemError} `PEER_MISSING` when it is not installed, with the package to install
 */
export function requirePeer(name: PeerName): string {
  const path = findPeer(name);
  if (path === undefined) throw new SystemError("PEER_MISSING", missing([name]), { name });
  return path;
}

/**
 * `Deno.test` for a test that needs real programs. Under CI a missing one fails the test; elsewhere the test is skipped and
 * its name says why.
 */
export function peerTest(name: string, peers: readonly PeerName[], fn: () => void | Promise<void>): void {
  const absent = peers.filter((peer) => findPeer(peer) === undefined);
  Deno.test(definePeerTest(name, fn, absent, Deno.env.get("CI") === "true"));
}

/** What {@linkcode peerTest} hands to `Deno.test`. */
export function definePeerTest(
  name: string,
  fn: () => void | Promise<void>,
  absent: readonly PeerName[],
  isCi: boolean,
): Deno.TestDefinition {
  if (absent.length === 0) return { name, fn };
  if (!isCi) return { name: `${name} (skipped: ${missing(absent)})`, fn, ignore: true };
  return {
    name,
    fn: () => {
      throw new Error(missing(absent));
    },
  };
}

function missing(peers: readonly PeerName[]): string {
  const packages = new Set(peers.map((peer) => PEERS[peer].package));
  return `${peers.join(", ")} not found; apt-get install ${[...packages].join(" ")}`;
}

/** Replaces one `*` in a path by the names that are there, the highest version first. */
function expand(folder: string): string[] {
  const [before, after] = folder.split("*");
  if (before === undefined || after === undefined) return [folder];
  try {
    const names = [...Deno.readDirSync(before)].map((entry) => entry.name);
    return names.sort((a, b) => Number(b) - Number(a)).map((entry) => before + entry + after);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
