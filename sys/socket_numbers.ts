/**
 * Numbers of the socket interface, the same on x86_64 and aarch64 (asm-generic/socket.h, linux/tcp.h, linux/fcntl.h).
 *
 * @module
 */

export const FAMILY = { unix: 1, inet: 2, inet6: 10 } as const;
export const SOCKET = { stream: 1, datagram: 2, nonBlocking: 0o4000, closeOnExec: 0o2000000 } as const;
export const LEVEL = { socket: 1, ip: 0, tcp: 6, udp: 17, ipv6: 41 } as const;

/** Level `socket`. */
export const SOCKET_OPTION = {
  reuseAddress: 2,
  error: 4,
  sendBuffer: 7,
  receiveBuffer: 8,
  keepAlive: 9,
  linger: 13,
  reusePort: 15,
  busyPoll: 46,
} as const;

/** Level `tcp`. */
export const TCP_OPTION = {
  noDelay: 1,
  keepIdle: 4,
  keepInterval: 5,
  keepCount: 6,
  deferAccept: 9,
  info: 11,
  quickAck: 12,
  userTimeout: 18,
  fastOpen: 23,
} as const;

/** `struct tcp_info` of linux/tcp.h up to the last field that is read: its bytes, and fields as 32-bit words. */
export const TCP_INFO = { bytes: 144, segmentsOut: 34, segmentsIn: 35 } as const;

/** Levels `ip` and `ipv6`. */
export const IP_OPTION = {
  packetInfo: 8,
  transparent: 19,
  bindAddressNoPort: 24,
  v6Only: 26,
  v6ReceivePacketInfo: 49,
  v6PacketInfo: 50,
  v6Transparent: 75,
} as const;

/** Level `udp` (linux/udp.h): trains of datagrams, cut up on the way out and put together on the way in. */
export const UDP_OPTION = { segment: 103, receiveTrains: 104 } as const;

export const MESSAGE = { noSignal: 0x4000, dontWait: 0x40, more: 0x8000 } as const;
export const SHUTDOWN_WRITE = 1;

/** Flags of `splice`: pages are moved, and it never waits. */
export const SPLICE = { move: 1, nonBlocking: 2 } as const;
/** Command of `fcntl`; without privilege up to fs.pipe-max-size, 1 MiB. */
export const SET_PIPE_SIZE = 1031;
export const CLOCK_MONOTONIC = 1;
