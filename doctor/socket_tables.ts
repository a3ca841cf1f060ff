/**
 * Listening sockets from /proc/net/tcp, tcp6, udp and udp6.
 *
 * @module
 */

/** TCP_LISTEN, and the state of an unconnected UDP socket, of linux/tcp_states.h. */
const LISTENING = { tcp: "0A", udp: "07" } as const;

/** One socket that waits for clients. */
export interface ListeningSocket {
  /** Address in the kernel's own hexadecimal spelling: words of the host's byte order. */
  readonly addressHex: string;
  readonly port: number;
  readonly inode: string;
}

/**
 * Sockets of a table that wait for clients.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const table = "  sl  local_address ...\n   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1";
 * assert.deepEqual(listeningSockets(table, "tcp"), [{ addressHex: "0100007F", port: 8080, inode: "4711" }]);
 * ```
 */
export function listeningSockets(table: string, protocol: "tcp" | "udp"): ListeningSocket[] {
  return table.split("\n").slice(1).flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const [addressHex = "", port = ""] = local.split(":");
    return state === LISTENING[protocol] ? [{ addressHex, port: parseInt(port, 16), inode }] : [];
  });
}

/** Inode of the first socket that listens on a port. */
export function socketInode(table: string, protocol: "tcp" | "udp", port: number): string | undefined {
  return listeningSockets(table, protocol).find((it) => it.port === port)?.inode;
}

/** Whether a socket of the table takes packets for an IPv4 address: its own, or every address. */
export function takesIpv4(socket: ListeningSocket, word: number): boolean {
  const hex = [0, 8, 16, 24].map((shift) => ((word >>> shift) & 0xff).toString(16).padStart(2, "0")).join("");
  const own = socket.addressHex.slice(-8).toLowerCase();
  return own === hex || /^0+$/.test(socket.addressHex);
}
