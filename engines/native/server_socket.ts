/**
 * The socket to a real server.
 *
 * @module
 */
import { ERRNO } from "../../sys/errno.ts";
import { SOCKET } from "../../sys/socket_numbers.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { WorkerOptions } from "./messages.ts";
import type { Target } from "./targets.ts";

/** Opens a socket and begins to connect. @returns its descriptor, or a negative errno: then nothing is open */
export function dialServer(sockets: Sockets, target: Target, { serverSocket }: WorkerOptions): number {
  const descriptor = sockets.open(target.family, SOCKET.stream);
  if (descriptor < 0) return descriptor;
  for (const { level, option, value } of serverSocket) sockets.setOption(descriptor, level, option, value);
  const result = sockets.libc.connect(descriptor, target.nameAddress, target.name.length);
  if (result >= 0 || result === -ERRNO.EINPROGRESS) return descriptor;
  sockets.close(descriptor);
  return result;
}
