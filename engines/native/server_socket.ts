/**
 * The socket to a real server.
 *
 * @module
 */
import type { Flow } from "../../net/flow.ts";
import { ERRNO } from "../../sys/errno.ts";
import { SOCKET } from "../../sys/socket_numbers.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { WorkerOptions } from "./messages.ts";
import type { Target } from "./targets.ts";

/** The client's port is in use towards this real server: an earlier connection's, or somebody listens on it. */
const PORT_TAKEN = new Set<number>([-ERRNO.EADDRINUSE, -ERRNO.EADDRNOTAVAIL]);

/**
 * Opens a socket and begins to connect.
 *
 * @param delaysAcknowledgements as TcpSide
 * @returns its descriptor, or a negative errno: then nothing is open
 */
export function dialServer(
  sockets: Sockets,
  target: Target,
  options: WorkerOptions,
  flow: Flow,
  delaysAcknowledgements: boolean,
): number {
  const from = options.isTransparent === true ? flow : undefined;
  const result = dial(sockets, target, options, from, from?.clientPort ?? 0, delaysAcknowledgements);
  // As NAT, which gives another port to the second client that looks the same.
  const isTaken = from !== undefined && PORT_TAKEN.has(result);
  return isTaken ? dial(sockets, target, options, from, 0, delaysAcknowledgements) : result;
}

/** @param from whose client's address it has; undefined: this host's */
function dial(
  sockets: Sockets,
  target: Target,
  { serverSocket }: WorkerOptions,
  from: Flow | undefined,
  port: number,
  delaysAcknowledgements: boolean,
): number {
  if (from !== undefined && from.family !== target.family) return -ERRNO.EAFNOSUPPORT;
  const descriptor = sockets.open(target.family, SOCKET.stream);
  if (descriptor < 0) return descriptor;
  for (const { level, option, value } of serverSocket) sockets.setOption(descriptor, level, option, value);
  // The last acknowledgement of the handshake waits for the client's first bytes, which are often there already: a segment
  // less, and the server wakes up to a question. Only on a busy worker: beside a quiet one the server may as well wake up at
  // once. See TcpSide.endHandshake for bytes that are not there.
  if (delaysAcknowledgements) sockets.setQuickAck(descriptor, false);
  let result = from === undefined ? 0 : sockets.bindForeign(descriptor, from.family, from.client, port);
  if (result >= 0) result = sockets.libc.connect(descriptor, target.nameAddress, target.name.length);
  if (result >= 0 || result === -ERRNO.EINPROGRESS) return descriptor;
  sockets.close(descriptor);
  return result;
}
