/**
 * UDP sockets towards the clients, opened by the main thread: one for each worker.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { checked } from "../../sys/errno.ts";
import { IP_OPTION, LEVEL, SOCKET_OPTION, UDP_OPTION } from "../../sys/socket_numbers.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { Binding } from "../engine.ts";
import { type Listening, listenWith } from "./listeners.ts";

/**
 * Sockets of one address, among which the kernel spreads clients by a hash. The first is bound alone: an address that anybody
 * else has is refused, also to one that would share it.
 *
 * @throws {SystemError} see `bindError`
 */
export function listenUdp(sockets: Sockets, binding: Binding, workers: number): Listening {
  return listenWith(binding, (at) => {
    const descriptors: number[] = [];
    try {
      let bound = at;
      for (let i = 0; i < workers; i++) {
        const descriptor = openAt(sockets, bound, i > 0);
        descriptors.push(descriptor);
        if (i === 0) bound = { address: at.address, port: sockets.localEndpoint(descriptor).port };
        if (workers > 1) sockets.setOption(descriptor, LEVEL.socket, SOCKET_OPTION.reusePort, 1);
      }
      return { descriptors, bound, refused: [] };
    } catch (error) {
      for (const it of descriptors) sockets.close(it);
      throw error;
    }
  });
}

function openAt(sockets: Sockets, at: Endpoint, isShared: boolean): number {
  const { socket, ip, ipv6, udp } = LEVEL;
  const isWildcard = at.address.isUnspecified;
  const descriptor = sockets.bindDatagrams(
    at,
    isShared ? [[socket, SOCKET_OPTION.reusePort, 1]] : [],
  );
  sockets.setOption(descriptor, socket, SOCKET_OPTION.receiveBuffer, LIMITS.udpSocketBufferBytes);
  sockets.setOption(descriptor, socket, SOCKET_OPTION.sendBuffer, LIMITS.udpSocketBufferBytes);
  // Where the kernel has it; without it each datagram comes by itself.
  sockets.setOption(descriptor, udp, UDP_OPTION.receiveTrains, 1);
  if (isWildcard) {
    const [level, option] = at.address.family === 4
      ? [ip, IP_OPTION.packetInfo]
      : [ipv6, IP_OPTION.v6ReceivePacketInfo];
    checked("setsockopt for the address asked", sockets.setOption(descriptor, level, option, 1));
  }
  return descriptor;
}
