/**
 * Sockets by their descriptors, with the memory that the calls need beside them. One for each thread.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import { checked } from "./errno.ts";
import { type Address, addressOf, type Libc } from "./libc.ts";
import { endpointAt, SOCKET_ADDRESS_BYTES, socketAddress, writeAddress } from "./socket_address.ts";
import {
  FAMILY,
  IP_OPTION,
  LEVEL,
  MESSAGE,
  SHUTDOWN_WRITE,
  SOCKET,
  SOCKET_OPTION,
  TCP_INFO,
  TCP_OPTION,
} from "./socket_numbers.ts";

const NEVER_BLOCKS = SOCKET.nonBlocking | SOCKET.closeOnExec;

/** What a listener is opened with. */
export interface ListenSettings {
  /** Connections that may wait in the kernel. */
  readonly backlog: number;
  /** Level, option and value of each option that is set before it listens. */
  readonly options: readonly (readonly [level: number, option: number, value: number])[];
  /** Sets what the listener may do without, before it listens. */
  readonly prepare?: ((descriptor: number) => void) | undefined;
}

/**
 * Calls on sockets that never block. Unless said otherwise each answers like the kernel: 0 or more, or a negative errno. What
 * happens once or more for each connection allocates nothing.
 */
export class Sockets {
  readonly libc: Libc;
  /** Address of the client that {@linkcode accept} took. */
  readonly peer: DataView;
  readonly #peerAddress: Address;
  readonly #own: DataView;
  readonly #ownAddress: Address;
  readonly #length = new Uint32Array(1);
  readonly #lengthAddress = addressOf(this.#length);
  /** One or two numbers: an option's value, or `struct linger`. */
  readonly #value = new Int32Array(2);
  readonly #valueAddress = addressOf(this.#value);
  readonly #tcpInfo = new Uint32Array(TCP_INFO.bytes / 4);
  readonly #tcpInfoAddress = addressOf(this.#tcpInfo);

  constructor(libc: Libc) {
    this.libc = libc;
    const peer = new Uint8Array(SOCKET_ADDRESS_BYTES);
    this.peer = new DataView(peer.buffer);
    this.#peerAddress = addressOf(peer);
    const own = new Uint8Array(SOCKET_ADDRESS_BYTES);
    this.#own = new DataView(own.buffer);
    this.#ownAddress = addressOf(own);
  }

  /**
   * Opens a listening socket.
   *
   * @throws {SystemError} `SYSTEM_CALL_FAILED`, with the number in its field `errno`
   */
  listen(at: Endpoint, { backlog, options, prepare }: ListenSettings): number {
    const reuse = [LEVEL.socket, SOCKET_OPTION.reuseAddress, 1] as const;
    const descriptor = this.#bind(at, SOCKET.stream, [reuse, ...options], prepare);
    try {
      checked("listen", this.libc.listen(descriptor, backlog));
      return descriptor;
    } catch (error) {
      this.libc.close(descriptor);
      throw error;
    }
  }

  /**
   * Opens a socket for datagrams to an address of this host.
   *
   * @param options level, option and value of each option that is set before it is bound
   * @throws {SystemError} `SYSTEM_CALL_FAILED`, with the number in its field `errno`
   */
  bindDatagrams(at: Endpoint, options: ListenSettings["options"]): number {
    return this.#bind(at, SOCKET.datagram, options);
  }

  #bind(
    at: Endpoint,
    type: number,
    options: ListenSettings["options"],
    prepare?: ListenSettings["prepare"],
  ): number {
    const descriptor = checked("socket", this.open(at.address.family, type));
    try {
      if (at.address.family === 6) this.#checkedOption(descriptor, LEVEL.ipv6, IP_OPTION.v6Only, 0);
      for (const [level, option, value] of options) this.#checkedOption(descriptor, level, option, value);
      prepare?.(descriptor);
      const name = socketAddress(at);
      checked("bind", this.libc.bind(descriptor, addressOf(name), name.length));
      return descriptor;
    } catch (error) {
      this.libc.close(descriptor);
      throw error;
    }
  }

  open(family: 4 | 6, type: number): number {
    return this.libc.socket(family === 4 ? FAMILY.inet : FAMILY.inet6, type | NEVER_BLOCKS, 0);
  }

  /** Takes a waiting client, whose address is then in {@linkcode peer}. */
  accept(listener: number): number {
    this.#length[0] = SOCKET_ADDRESS_BYTES;
    return this.libc.accept(listener, this.#peerAddress, this.#lengthAddress, NEVER_BLOCKS);
  }

  /** @throws {SystemError} `SYSTEM_CALL_FAILED` */
  localEndpoint(descriptor: number): Endpoint {
    const bytes = new Uint8Array(SOCKET_ADDRESS_BYTES);
    this.#length[0] = SOCKET_ADDRESS_BYTES;
    checked("getsockname", this.libc.socketName(descriptor, addressOf(bytes), this.#lengthAddress));
    return endpointAt(new DataView(bytes.buffer));
  }

  /**
   * Lets a socket that is about to connect have an address that is not of this host; needs CAP_NET_ADMIN or CAP_NET_RAW.
   *
   * @param port 0: any that is free towards the peer, chosen by the connect
   */
  bindForeign(descriptor: number, family: 4 | 6, address: Uint32Array, port: number): number {
    const result = family === 4
      ? this.setOption(descriptor, LEVEL.ip, IP_OPTION.transparent, 1)
      : this.setOption(descriptor, LEVEL.ipv6, IP_OPTION.v6Transparent, 1);
    if (result < 0) return result;
    this.setOption(descriptor, LEVEL.socket, SOCKET_OPTION.reuseAddress, 1);
    if (port === 0) this.setOption(descriptor, LEVEL.ip, IP_OPTION.bindAddressNoPort, 1);
    const length = writeAddress(this.#own, family, address, port);
    return this.libc.bind(descriptor, this.#ownAddress, length);
  }

  setOption(descriptor: number, level: number, option: number, value: number): number {
    this.#value[0] = value;
    return this.libc.setOption(descriptor, level, option, this.#valueAddress, 4);
  }

  #checkedOption(descriptor: number, level: number, option: number, value: number): void {
    checked(`setsockopt ${level} ${option}`, this.setOption(descriptor, level, option, value));
  }

  /** Small writes leave at once. */
  setNoDelay(descriptor: number): void {
    this.setOption(descriptor, LEVEL.tcp, TCP_OPTION.noDelay, 1);
  }

  /** Whether an acknowledgement leaves now, or waits for bytes that take it along (tcp(7)). */
  setQuickAck(descriptor: number, isQuick: boolean): void {
    this.setOption(descriptor, LEVEL.tcp, TCP_OPTION.quickAck, isQuick ? 1 : 0);
  }

  /** The error that waits on a socket, 0 for none; asking takes it. */
  takeError(descriptor: number): number {
    this.#length[0] = 4;
    const { socket } = LEVEL;
    const result = this.libc.getOption(
      descriptor,
      socket,
      SOCKET_OPTION.error,
      this.#valueAddress,
      this.#lengthAddress,
    );
    return result < 0 ? -result : this.#value[0] ?? 0;
  }

  /** Segments that have come on a TCP socket so far, modulo 2^32; 0 when the kernel does not say. */
  receivedSegments(descriptor: number): number {
    this.#length[0] = TCP_INFO.bytes;
    const { tcp } = LEVEL;
    const { info } = TCP_OPTION;
    const result = this.libc.getOption(descriptor, tcp, info, this.#tcpInfoAddress, this.#lengthAddress);
    return result < 0 ? 0 : this.#tcpInfo[TCP_INFO.segmentsIn] ?? 0;
  }

  send(descriptor: number, address: Address, bytes: number): number {
    return this.libc.send(descriptor, address, bytes, MESSAGE.noSignal);
  }

  /** The last bytes before {@linkcode endWriting} or a close, which follows at once: they leave in one segment with the end. */
  sendBeforeEnd(descriptor: number, address: Address, bytes: number): number {
    return this.libc.send(descriptor, address, bytes, MESSAGE.noSignal | MESSAGE.more);
  }

  /** Ends the way to the peer: it sees the end of the stream. */
  endWriting(descriptor: number): void {
    this.libc.shutdown(descriptor, SHUTDOWN_WRITE);
  }

  /** Closes with a reset in the place of an end: what is still to be sent is dropped. */
  reset(descriptor: number): void {
    this.#value[0] = 1;
    this.#value[1] = 0;
    this.libc.setOption(descriptor, LEVEL.socket, SOCKET_OPTION.linger, this.#valueAddress, 8);
    this.libc.close(descriptor);
  }

  close(descriptor: number): void {
    this.libc.close(descriptor);
  }
}
