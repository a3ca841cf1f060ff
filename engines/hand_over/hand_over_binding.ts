/**
 * A TCP service whose accepted sockets are handed to receivers.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { SystemError } from "../../errors.ts";
import { EPOLL } from "../../sys/epoll.ts";
import { ERRNO, errnoName } from "../../sys/errno.ts";
import { endpointAt } from "../../sys/socket_address.ts";
import { bindError } from "../portable/bind_error.ts";
import type { Binding, BindingOptions, EndReason, OpenBinding } from "../engine.ts";
import { HandedConnection } from "./handed_connection.ts";
import type { HandOverHost } from "./hand_over_host.ts";

/** Accepted in one turn, so that other services have theirs. */
const ACCEPTED_AT_ONCE = 64;

/** A service that is listening. */
export class HandOverBinding implements OpenBinding {
  readonly binding: Binding;
  readonly bound: Endpoint;
  readonly #host: HandOverHost;
  readonly #listener: number;
  readonly #live = new Set<HandedConnection>();
  #options: BindingOptions;
  #isClosed = false;
  #isResting = false;
  #idleWaiters: (() => void)[] = [];

  /** @throws {SystemError} `ADDRESS_IN_USE`, `ADDRESS_NOT_LOCAL`, `PERMISSION_DENIED`, ... */
  static open(host: HandOverHost, binding: Binding): HandOverBinding {
    try {
      const listener = host.sockets.listen(binding.listen, {
        backlog: LIMITS.tcpBacklogConnections,
        options: [],
      });
      return new HandOverBinding(host, binding, listener);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      throw bindError(
        binding,
        Object.assign(new Error(error.message), { code: errnoName(Number(error.fields["errno"])) }),
      );
    }
  }

  private constructor(host: HandOverHost, binding: Binding, listener: number) {
    this.#host = host;
    this.#listener = listener;
    this.#options = binding.options;
    this.binding = binding;
    this.bound = { address: binding.listen.address, port: host.sockets.localEndpoint(listener).port };
    host.watch(listener, EPOLL.in, () => this.#accept());
  }

  get liveConnections(): number {
    return this.#live.size;
  }

  /** Closed, and nothing lives on it. */
  get isOver(): boolean {
    return this.#isClosed && this.#live.size === 0;
  }

  update(options: BindingOptions): void {
    this.#options = options;
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      if (!this.#isResting) this.#host.unwatch(this.#listener);
      this.#host.sockets.close(this.#listener);
    }
    return Promise.resolve();
  }

  /** Breaks off the connections to one destination. */
  endTo(destination: number, reason: EndReason): void {
    for (const it of this.#live) if (it.destination === destination) it.end(reason);
  }

  /** Breaks off every live connection, evenly over `spreadMs`. */
  async resetAll(spreadMs: number, reason: EndReason): Promise<void> {
    const { clock } = this.#host;
    const doomed = [...this.#live];
    const startMs = clock.nowMs();
    for (const [i, connection] of doomed.entries()) {
      const waitMs = startMs + spreadMs * i / doomed.length - clock.nowMs();
      if (waitMs >= 1) await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      connection.end(reason);
    }
  }

  whenIdle(): Promise<void> {
    if (this.#live.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #accept(): void {
    const { sockets, events } = this.#host;
    for (let i = 0; i < ACCEPTED_AT_ONCE; i++) {
      const client = sockets.accept(this.#listener);
      if (client === -ERRNO.EMFILE || client === -ERRNO.ENFILE) return this.#rest(client);
      if (client < 0) return;
      if (this.#live.size >= (this.#options.maxConnections ?? Infinity)) {
        sockets.reset(client);
        events.dropped(this.binding.service, "max-connections");
        continue;
      }
      this.#begin(client);
    }
  }

  #begin(client: number): void {
    const { sockets } = this.#host;
    const { address } = this.bound;
    const connection = new HandedConnection(this.#host, {
      service: this.binding.service,
      options: this.#options,
      client,
      peer: endpointAt(sockets.peer),
      local: address.isUnspecified ? sockets.localEndpoint(client) : this.bound,
      ended: (it) => this.#ended(it),
    });
    this.#live.add(connection);
    connection.start();
  }

  #ended(connection: HandedConnection): void {
    this.#live.delete(connection);
    if (this.#live.size > 0) return;
    for (const done of this.#idleWaiters.splice(0)) done();
  }

  /** Out of descriptors: a listener that stays readable would be asked again and again. */
  #rest(errno: number): void {
    const { events, clock } = this.#host;
    events.trouble(this.binding.service, `${errnoName(-errno)}: no file descriptor is left (ulimit -n)`);
    this.#isResting = true;
    this.#host.unwatch(this.#listener);
    clock.after(LIMITS.acceptBackOffMs, () => {
      this.#isResting = false;
      if (!this.#isClosed) this.#host.watch(this.#listener, EPOLL.in, () => this.#accept());
    });
  }
}
