/**
 * The engine that gives accepted sockets away: DR on one host. The real server's receiver gets the socket itself over a Unix
 * socket (SCM_RIGHTS), so the answers, and all that the client sends, bypass the director.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import { Libc } from "../../sys/libc.ts";
import { PatientEpoll } from "../../sys/patient_epoll.ts";
import { Sockets } from "../../sys/sockets.ts";
import { UnixSockets } from "../../sys/unix_sockets.ts";
import type { Binding, EndReason, Engine, EngineEvents, OpenBinding } from "../engine.ts";
import { Troubles } from "../troubles.ts";
import { HandOverBinding } from "./hand_over_binding.ts";
import type { HandOverHost, Happening } from "./hand_over_host.ts";

/** What the engine is made of. */
export interface HandOverOptions {
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
}

const EVENTS_AT_ONCE = 256;

/** Listens, decides, hands over, and keeps the director's entry in step with what the receiver tells. */
export class HandOverEngine implements Engine {
  readonly name = "hand-over";
  readonly #options: HandOverOptions;
  readonly #bindings = new Set<HandOverBinding>();
  readonly #entries = new Map<number, { entryExpired(): void }>();
  readonly #watched = new Map<number, Happening>();
  #host: HandOverHost | undefined;
  #libc: Libc | undefined;
  #waiter: PatientEpoll | undefined;
  #turning: Promise<void> | undefined;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** @throws {SystemError} `FFI_UNAVAILABLE`, `SYSTEM_CALL_FAILED` */
  open(binding: Binding): Promise<OpenBinding> {
    for (const it of this.#bindings) if (it.isOver) this.#bindings.delete(it);
    const opened = HandOverBinding.open(this.#begin(), binding);
    this.#bindings.add(opened);
    return Promise.resolve(opened);
  }

  liveConnections(service?: number): number {
    return this.#bindingsOf(service).reduce((sum, it) => sum + it.liveConnections, 0);
  }

  destinationRemoved(destination: number, cut: boolean): void {
    if (cut) { for (const it of this.#bindings) it.endTo(destination, "destination-removed"); }
  }

  entryExpired(entry: number): void {
    this.#entries.get(entry)?.entryExpired();
  }

  async resetAll(spreadMs: number, reason: EndReason, service?: number): Promise<void> {
    await Promise.all(this.#bindingsOf(service).map((it) => it.resetAll(spreadMs, reason)));
  }

  async whenIdle(): Promise<void> {
    while (this.liveConnections() > 0) await Promise.all([...this.#bindings].map((it) => it.whenIdle()));
  }

  async stop(): Promise<void> {
    for (const it of this.#bindings) await it.close();
    await this.resetAll(0, "drained");
    this.#bindings.clear();
    this.#waiter?.stop();
    await this.#turning;
    this.#waiter?.[Symbol.dispose]();
    this.#libc?.[Symbol.dispose]();
    this.#host = undefined;
  }

  #bindingsOf(service?: number): HandOverBinding[] {
    return [...this.#bindings].filter((it) => service === undefined || it.binding.service === service);
  }

  /** The library is opened for the first service that needs it. */
  #begin(): HandOverHost {
    if (this.#host !== undefined) return this.#host;
    const libc = Libc.open();
    const waiter = new PatientEpoll(libc, EVENTS_AT_ONCE);
    this.#libc = libc;
    this.#waiter = waiter;
    this.#turning = waiter.run((tag, events) => this.#watched.get(tag)?.(events));
    const { events } = this.#options;
    const troubles = new Troubles((service, message) => events.trouble(service, message));
    this.#host = {
      ...this.#options,
      sockets: new Sockets(libc),
      unixSockets: new UnixSockets(libc),
      entries: this.#entries,
      trouble: (service, message) => troubles.tell(service, message),
      watch: (descriptor, interest, happened) => {
        this.#watched.set(descriptor, happened);
        waiter.epoll.add(descriptor, interest, descriptor);
      },
      unwatch: (descriptor) => {
        this.#watched.delete(descriptor);
        waiter.epoll.delete(descriptor);
      },
    };
    return this.#host;
  }
}
