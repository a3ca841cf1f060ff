/**
 * Sockets on the runtime's own handles, without node:net above them.
 *
 * @module
 */
import { SystemError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { type Family, IpAddress } from "../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { errorCode } from "./bind_error.ts";
import { FairTurns } from "./fair_turns.ts";
import type { HandleAddress, HandleBinding, HandleRequest, TcpHandle } from "./handle_binding.ts";
import { type HandleShare, HandleSocket, systemCode } from "./handle_socket.ts";
import type { BufferPool } from "./read_buffers.ts";
import { type Dialer, type ListeningSocket, type TcpSocket, type TcpSockets, UNOWNED } from "./tcp_socket.ts";

/** Makes handles, and what several of them can share. */
export class HandleSockets implements TcpSockets, HandleShare {
  readonly name = "handles";
  readonly binding: HandleBinding;
  readonly pool: BufferPool;
  /** By a timer of the runtime, whatever the engine's clock is: it is about the runtime's loop, and not about time. */
  readonly turns = new FairTurns((callback) => void setTimeout(callback, 1));
  readonly #address: Partial<HandleAddress> = {};
  readonly #known = new Map<string, IpAddress>();
  #spareWrite: HandleRequest | undefined;

  constructor(binding: HandleBinding, pool: BufferPool) {
    this.binding = binding;
    this.pool = pool;
  }

  get readLength(): number {
    const { state, readLengthAt } = this.binding;
    return state[readLengthAt] ?? 0;
  }

  get isQueued(): boolean {
    const { state, isQueuedAt } = this.binding;
    return state[isQueuedAt] !== 0;
  }

  get write(): HandleRequest {
    return this.#spareWrite ??= withDone(new this.binding.WriteWrap(), writeDone);
  }

  writeUsed(): void {
    this.#spareWrite = undefined;
  }

  shutdownRequest(): HandleRequest {
    return withDone(new this.binding.ShutdownWrap(), ignore);
  }

  connect(host: string, port: number, family: Family, dialer: Dialer): TcpSocket {
    const { TCP, TCPConnectWrap, socketKind } = this.binding;
    const handle = new TCP(socketKind);
    const socket = new HandleSocket(this, handle, dialer, dialer);
    const request = withDone(new TCPConnectWrap(), connectDone);
    let code = "";
    try {
      const status = family === 6
        ? handle.connect6(request, host, port)
        : handle.connect(request, host, port);
      if (status !== 0) code = systemCode(status);
    } catch (error) {
      code = errorCode(error);
    }
    if (code !== "") socket.failSoon(code);
    return socket;
  }

  // deno-lint-ignore require-await -- what it throws is a rejection, as the other implementation's
  async listen(
    at: Endpoint,
    backlog: number,
    accept: (client: TcpSocket) => void,
  ): Promise<ListeningSocket> {
    const { TCP, serverKind } = this.binding;
    const server = new TCP(serverKind);
    const { address, port } = at;
    let status = address.family === 6 ? server.bind6(`${address}`, port, 0) : server.bind(`${address}`, port);
    if (status === 0) {
      server.onconnection = (status) => {
        if (status === 0) this.#accept(server, accept);
      };
      status = server.listen(backlog);
    }
    const where: Partial<HandleAddress> = {};
    if (status === 0) status = server.getsockname(where);
    if (status !== 0) {
      server.close();
      const code = systemCode(status);
      throw new SystemError(code, `listen ${code} ${formatEndpoint(at)}`, { address: formatEndpoint(at) });
    }
    return { port: where.port ?? 0, close: () => server.close() };
  }

  #accept(server: TcpHandle, accept: (client: TcpSocket) => void): void {
    const { TCP, socketKind } = this.binding;
    const handle = new TCP(socketKind);
    if (server.accept(handle) !== 0) {
      handle.close();
      return;
    }
    this.turns.otherDone();
    const client = new HandleSocket(this, handle, UNOWNED);
    try {
      accept(client);
    } catch (error) {
      if (client.owner === UNOWNED) client.reset();
      reportError(error);
    }
  }

  peer(handle: TcpHandle): Endpoint | undefined {
    return handle.getpeername(this.#address) === 0 ? this.#endpoint(this.#address) : undefined;
  }

  local(handle: TcpHandle): Endpoint | undefined {
    return handle.getsockname(this.#address) === 0 ? this.#endpoint(this.#address) : undefined;
  }

  /** Clients come again: the text of an address is read once. */
  #endpoint({ address = "", port = 0 }: Partial<HandleAddress>): Endpoint | undefined {
    let known = this.#known.get(address);
    if (known === undefined) {
      known = IpAddress.tryParse(address);
      if (known === undefined) return undefined;
      if (this.#known.size >= LIMITS.readAddresses) this.#known.clear();
      this.#known.set(address, known);
    }
    return { address: known, port };
  }
}

function withDone(request: HandleRequest, done: HandleRequest["oncomplete"]): HandleRequest {
  request.oncomplete = done;
  return request;
}

// What is thrown here the runtime prints and tells nobody (Deno 2.9.6), unlike what a read throws: so it is told.

function connectDone(status: number, handle: TcpHandle): void {
  try {
    handle.owner?.connectDone(status);
  } catch (error) {
    reportError(error);
  }
}

function writeDone(status: number, handle: TcpHandle): void {
  try {
    handle.owner?.writeDone(status);
  } catch (error) {
    reportError(error);
  }
}

function ignore(): void {}
