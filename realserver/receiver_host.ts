/**
 * What a receiver gives its connections.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import type { Libc } from "../sys/libc.ts";
import type { Sockets } from "../sys/sockets.ts";
import type { UnixSockets } from "../sys/unix_sockets.ts";
import type { SharedBuffer } from "./one_way.ts";

/** Something that waits for its descriptors. */
export type Happening = (events: number) => void;

/** What the receiver gives its connections. */
export interface ReceiverHost {
  readonly libc: Libc;
  readonly sockets: Sockets;
  readonly unixSockets: UnixSockets;
  /** All relays read into it; each empties it before the next one's turn. */
  readonly shared: SharedBuffer;
  /** The server that this receiver fronts. */
  readonly to: Endpoint;
  /** Bits of `EPOLL` that a descriptor is watched for; 0 is not at all. */
  watch(descriptor: number, interest: number, happened: Happening): void;
}
