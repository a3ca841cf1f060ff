/**
 * The objects under node:net: what of them is used, and whether this runtime has it.
 *
 * node:net builds a stream machine on each of them; a connection without it costs 114 µs of processor time in place of 149
 * (Deno 2.9.6). They are not documented. So their shape is looked at once, and a runtime that has another one gets node:net.
 *
 * @module
 */

/** A request under way. The runtime calls `oncomplete` with the request as `this`. */
export interface HandleRequest {
  oncomplete: ((status: number, handle: TcpHandle) => void) | undefined;
  /** Keeps the memory of a write. */
  buffer?: Uint8Array | undefined;
}

/** A socket's address as the runtime fills it in. */
export interface HandleAddress {
  address: string;
  port: number;
}

/** `TCP` of `tcp_wrap`. Calls that answer a number answer 0, or a negative error number of libuv. */
export interface TcpHandle {
  /** What it belongs to; the runtime leaves this alone. */
  owner?: HandleOwner | undefined;
  /** Called with the handle as `this`. */
  onread: ((memory: unknown, length?: number) => void) | undefined;
  onconnection: ((status: number) => void) | undefined;
  /** Reads go there from the next one on. */
  useUserBuffer(memory: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** Whether it was queued stands in {@linkcode HandleBinding.state}; the memory is not copied. */
  writeBuffer(request: HandleRequest, memory: Uint8Array): number;
  shutdown(request: HandleRequest): number;
  /** The next close sends RST. */
  reset(): number;
  /** Gives the descriptor back; requests under way are cancelled a moment later. */
  close(): void;
  setNoDelay(on: boolean): number;
  /** Throws when the program may not connect there. */
  connect(request: HandleRequest, host: string, port: number): number;
  connect6(request: HandleRequest, host: string, port: number): number;
  bind(host: string, port: number): number;
  bind6(host: string, port: number, flags: number): number;
  listen(backlog: number): number;
  accept(client: TcpHandle): number;
  getpeername(out: Partial<HandleAddress>): number;
  getsockname(out: Partial<HandleAddress>): number;
}

/** Hears what a handle says. */
export interface HandleOwner {
  /** @param length bytes read, or a negative error number; absent: it stands in {@linkcode HandleBinding.state} */
  readDone(length?: number): void;
  connectDone(status: number): void;
  writeDone(status: number): void;
}

/** What the runtime shows. */
export interface HandleBinding {
  readonly TCP: new (kind: number) => TcpHandle;
  readonly TCPConnectWrap: new () => HandleRequest;
  readonly WriteWrap: new () => HandleRequest;
  readonly ShutdownWrap: new () => HandleRequest;
  /** Kinds of a handle. */
  readonly socketKind: number;
  readonly serverKind: number;
  /** How the last call went, and where in it. */
  readonly state: Int32Array;
  readonly readLengthAt: number;
  readonly isQueuedAt: number;
}

const METHODS: readonly (keyof TcpHandle)[] = [
  "useUserBuffer",
  "readStart",
  "readStop",
  "writeBuffer",
  "shutdown",
  "reset",
  "close",
  "setNoDelay",
  "connect",
  "connect6",
  "bind",
  "bind6",
  "listen",
  "accept",
  "getpeername",
  "getsockname",
];

/** The handles of a runtime, found by its `process`; undefined where they are missing or look different. */
export function findHandles(of: object): HandleBinding | undefined {
  try {
    const find: unknown = Reflect.get(of, "binding");
    if (typeof find !== "function") return undefined;
    const tcp: unknown = Reflect.apply(find, of, ["tcp_wrap"]);
    const stream: unknown = Reflect.apply(find, of, ["stream_wrap"]);
    const found = {
      TCP: member(tcp, "TCP"),
      TCPConnectWrap: member(tcp, "TCPConnectWrap"),
      WriteWrap: member(stream, "WriteWrap"),
      ShutdownWrap: member(stream, "ShutdownWrap"),
      socketKind: member(member(tcp, "constants"), "SOCKET"),
      serverKind: member(member(tcp, "constants"), "SERVER"),
      state: member(stream, "streamBaseState"),
      readLengthAt: member(stream, "kReadBytesOrError"),
      isQueuedAt: member(stream, "kLastWriteWasAsync"),
    };
    return isBinding(found) ? found : undefined;
  } catch {
    // Whatever a foreign runtime throws here, it has no such handles.
    return undefined;
  }
}

function isBinding(found: Record<keyof HandleBinding, unknown>): found is HandleBinding & typeof found {
  const { TCP, TCPConnectWrap, WriteWrap, ShutdownWrap, state } = found;
  const { socketKind, serverKind, readLengthAt, isQueuedAt } = found;
  return [TCP, TCPConnectWrap, WriteWrap, ShutdownWrap].every((it) => typeof it === "function") &&
    [socketKind, serverKind, readLengthAt, isQueuedAt].every((it) => Number.isInteger(it)) &&
    state instanceof Int32Array &&
    METHODS.every((it) => typeof member(member(TCP, "prototype"), it) === "function");
}

function member(of: unknown, name: string): unknown {
  return (typeof of === "object" && of !== null) || typeof of === "function"
    ? Reflect.get(of, name)
    : undefined;
}
