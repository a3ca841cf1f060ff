/**
 * Unix stream sockets, and descriptors that travel through them (SCM_RIGHTS).
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { checked } from "./errno.ts";
import { addressOf, type Libc } from "./libc.ts";
import { FAMILY, LEVEL, MESSAGE, SOCKET } from "./socket_numbers.ts";

const NEVER_BLOCKS = SOCKET.nonBlocking | SOCKET.closeOnExec;
const SCM_RIGHTS = 1;
/** The receiver's descriptors are closed when it starts another program. */
const CLOSE_ON_EXEC = 0x4000_0000;
/** `struct msghdr` and `struct cmsghdr` on 64-bit Linux, in bytes. */
const MESSAGE_BYTES = 56;
const IOV_BYTES = 16;
const CONTROL = { bytes: 24, length: 20, level: 8, type: 12, descriptor: 16 } as const;
const AT = { iov: 16, iovLength: 24, control: 32, controlLength: 40 } as const;

/** What one {@linkcode UnixSockets.receive} brought. */
export interface Received {
  /** Bytes, 0 at the end of the stream, or a negative errno. */
  readonly length: number;
  /** The descriptor that came with them, -1 for none; the caller's to close. */
  readonly descriptor: number;
}

/** Calls that never block. Results are the kernel's: 0 or more, or a negative errno. One for each thread. */
export class UnixSockets {
  readonly #libc: Libc;
  readonly #payload = new Uint8Array(LIMITS.handOverBytes);
  readonly #control = new Uint8Array(CONTROL.bytes);
  readonly #controlView = new DataView(this.#control.buffer);
  readonly #iov = new Uint8Array(IOV_BYTES);
  readonly #message = new Uint8Array(MESSAGE_BYTES);
  readonly #view = new DataView(this.#message.buffer);
  readonly #messageAddress = addressOf(this.#message);

  constructor(libc: Libc) {
    this.#libc = libc;
    const number = (array: Uint8Array<ArrayBuffer>) => Deno.UnsafePointer.value(addressOf(array));
    new DataView(this.#iov.buffer).setBigUint64(0, number(this.#payload), true);
    this.#view.setBigUint64(AT.iov, number(this.#iov), true);
    this.#view.setBigUint64(AT.iovLength, 1n, true);
    this.#view.setBigUint64(AT.control, number(this.#control), true);
  }

  /** A listener at a path where nothing is. @throws {SystemError} `SYSTEM_CALL_FAILED` */
  listen(path: string, backlog: number): number {
    const descriptor = checked("socket", this.#libc.socket(FAMILY.unix, SOCKET.stream | NEVER_BLOCKS, 0));
    const name = pathAddress(path);
    try {
      checked(`bind ${path}`, this.#libc.bind(descriptor, addressOf(name), name.length));
      checked(`listen on ${path}`, this.#libc.listen(descriptor, backlog));
      return descriptor;
    } catch (error) {
      this.#libc.close(descriptor);
      throw error;
    }
  }

  accept(listener: number): number {
    return this.#libc.accept(listener, null, null, NEVER_BLOCKS);
  }

  /** A connected descriptor. It is connected at once or never: `-EAGAIN` when the listener's queue is full. */
  connect(path: string): number {
    const descriptor = this.#libc.socket(FAMILY.unix, SOCKET.stream | NEVER_BLOCKS, 0);
    if (descriptor < 0) return descriptor;
    const name = pathAddress(path);
    const result = this.#libc.connect(descriptor, addressOf(name), name.length);
    if (result >= 0) return descriptor;
    this.#libc.close(descriptor);
    return result;
  }

  /** Sends bytes, and with them a descriptor unless it is -1. The peer gets one of its own; this one stays open. */
  send(socket: number, bytes: Uint8Array, descriptor = -1): number {
    this.#payload.set(bytes);
    this.#setLengths(bytes.length, descriptor < 0 ? 0 : CONTROL.bytes);
    const control = this.#controlView;
    control.setBigUint64(0, BigInt(CONTROL.length), true);
    control.setInt32(CONTROL.level, LEVEL.socket, true);
    control.setInt32(CONTROL.type, SCM_RIGHTS, true);
    control.setInt32(CONTROL.descriptor, descriptor, true);
    return this.#libc.sendMessage(socket, this.#messageAddress, MESSAGE.noSignal);
  }

  /** What came; its bytes are in {@linkcode payload} until the next call. */
  receive(socket: number): Received {
    this.#control.fill(0);
    this.#setLengths(this.#payload.length, CONTROL.bytes);
    const length = this.#libc.receiveMessage(socket, this.#messageAddress, CLOSE_ON_EXEC);
    const hasDescriptor = length >= 0 && this.#view.getBigUint64(AT.controlLength, true) > 0n &&
      this.#controlView.getInt32(CONTROL.type, true) === SCM_RIGHTS;
    return {
      length,
      descriptor: hasDescriptor ? this.#controlView.getInt32(CONTROL.descriptor, true) : -1,
    };
  }

  /** The first bytes of the last {@linkcode receive}, as text. */
  text(length: number): string {
    return new TextDecoder().decode(this.#payload.subarray(0, length));
  }

  close(descriptor: number): void {
    this.#libc.close(descriptor);
  }

  #setLengths(bytes: number, control: number): void {
    new DataView(this.#iov.buffer).setBigUint64(8, BigInt(bytes), true);
    this.#view.setBigUint64(AT.controlLength, BigInt(control), true);
  }
}

/** `struct sockaddr_un` with its final zero. */
function pathAddress(path: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(path);
  if (text.length > LIMITS.socketPathBytes) {
    throw new ValueError(
      "SOCKET_PATH_TOO_LONG",
      `${path} is too long; a socket path has at most ${LIMITS.socketPathBytes} bytes`,
      { path },
    );
  }
  const bytes = new Uint8Array(2 + text.length + 1);
  bytes[0] = FAMILY.unix;
  bytes.set(text, 2);
  return bytes;
}
