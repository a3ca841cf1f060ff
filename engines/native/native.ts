/**
 * The fast engine: Linux, `--allow-ffi`. Sockets are moved by worker threads, each a blocking loop over `epoll` with a director
 * of its own on the shared store; this is the part of it that lives in the main thread.
 *
 * @module
 */
import { type Clock, SystemClock, type Timer } from "../../clock.ts";
import type { Director } from "../../director/director.ts";
import { SystemError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Random } from "../../net/random.ts";
import { Libc } from "../../sys/libc.ts";
import { readSwitch } from "../../sys/switches.ts";
import { Sockets } from "../../sys/sockets.ts";
import type {
  Binding,
  BindingOptions,
  EndedConnection,
  EndReason,
  Engine,
  EngineEvents,
  NotInForce,
  OpenBinding,
} from "../engine.ts";
import { countDescriptors, type DescriptorCount, Descriptors } from "../portable/descriptors.ts";
import { checkUdpOptions } from "../portable/udp_options.ts";
import { BINDING_SLOTS, EngineMemory } from "./engine_memory.ts";
import type { EventRecord } from "./event_record.ts";
import { EVENT } from "./event_ring.ts";
import { type ConnectionJudge, Judgements } from "./judgements.ts";
import { listenTcp } from "./listeners.ts";
import type { OpenCommand, Report } from "./messages.ts";
import { type BindingOwner, NativeBinding } from "./native_binding.ts";
import { applyOptions, listenerOptions, switchedOff } from "./socket_options.ts";
import { ThreadStock } from "./thread_stock.ts";
import { listenUdp } from "./udp_listeners.ts";
import { MonotonicClock } from "./worker_clock.ts";
import type { WorkerListener, WorkerThread } from "./worker_thread.ts";
import type { WorkerTimes } from "./turn_times.ts";
import { Workers } from "./workers.ts";

/** What the native engine is made of. */
export interface NativeEngineOptions {
  /** The control plane's director; its store has to be shared, with room for the workers. */
  readonly director: Director;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly random: Random;
  /** Threads that move bytes. */
  readonly workers: number;
  /** What is known of the process's file descriptors; asked for when not given. */
  readonly descriptors?: DescriptorCount;
  /** Where its threads come from. */
  readonly threads?: ThreadStock | undefined;
  /** Connection entries of each worker; the limit's if not given. */
  readonly connectionEntries?: number;
  /** Memory of a `FlightRing` for each worker, where what they decide is to be remembered. */
  readonly flights?: readonly ArrayBufferLike[];
  /** Judges new connections while {@linkcode NativeEngine.judge} says so. */
  readonly judge?: ConnectionJudge;
  /** Whether traffic to this address would come back to this program. */
  isOwnListener(protocol: Binding["protocol"], target: Endpoint): boolean;
}

/** What is known of a worker. */
export interface WorkerLoad extends WorkerTimes {
  /** Live connections and UDP sessions. */
  readonly connections: number;
}

/** TCP and UDP through workers. */
export class NativeEngine implements Engine, BindingOwner, WorkerListener {
  readonly name = "native";
  readonly #options: NativeEngineOptions;
  readonly #libc = Libc.open();
  readonly #sockets = new Sockets(this.#libc);
  readonly #memory: EngineMemory;
  readonly #workers: Workers;
  readonly #judgements: Judgements;
  readonly #bindings = new Map<number, NativeBinding>();
  #idleWaiters: (() => void)[] = [];
  #mirror: Timer | undefined;
  #isStopped = false;

  /** @throws {SystemError} `FFI_UNAVAILABLE` */
  constructor(options: NativeEngineOptions) {
    const { director, clock, random, workers, connectionEntries = LIMITS.connectionEntries } = options;
    const { store } = director;
    if (!(store.buffer instanceof SharedArrayBuffer) || store.capacities.workers <= workers) {
      throw new SystemError(
        "STORE_NOT_SHARED",
        `the native engine needs a shared store with room for ${workers + 1} threads; this is a defect`,
        { workers },
      );
    }
    const isSystemTime = clock instanceof SystemClock;
    this.#options = options;
    this.#judgements = new Judgements(options.judge, clock);
    const count = options.descriptors ?? countDescriptors();
    this.#memory = EngineMemory.create(workers, count.limit);
    this.#memory.timeMs = clock.nowMs();
    this.#noteRoom(count);
    this.#workers = new Workers({
      libc: this.#libc,
      memory: this.#memory,
      clock,
      random,
      listener: this,
      threads: options.threads ?? new ThreadStock(),
      common: {
        store: store.buffer,
        clockZeroMs: isSystemTime ? new MonotonicClock(this.#libc).read() - clock.nowMs() : undefined,
        connectionEntries,
        flights: options.flights ?? [],
      },
      welcome: () => [...this.#bindings.values()].filter((it) => !it.isClosed).map(openCommand),
    });
    if (!isSystemTime) this.#mirrorTime();
  }

  /** How busy the workers are, and how much each has. */
  get workerLoads(): readonly WorkerLoad[] {
    const slots = this.#slots();
    const live = (worker: number) => slots.reduce((sum, slot) => sum + this.#memory.liveIn(worker, slot), 0);
    const times = this.#memory.turns.all(this.#options.clock.nowMs());
    return times.map((it) => ({ ...it, connections: live(it.worker) }));
  }

  /** A clock that is moved by hand lives in this thread: the workers are told. */
  #mirrorTime(): void {
    const { clock } = this.#options;
    this.#mirror = clock.after(LIMITS.directorTickMs, () => {
      this.#memory.timeMs = clock.nowMs();
      this.#workers.ring();
      this.#mirrorTime();
    });
  }

  async open(binding: Binding): Promise<OpenBinding> {
    if (binding.protocol === "udp") checkUdpOptions(binding.name, binding.options);
    const listening = binding.protocol === "udp"
      ? listenUdp(this.#sockets, binding, this.#memory.workers)
      : listenTcp(this.#sockets, binding, LIMITS.tcpBacklogConnections);
    const slot = this.#freeSlot();
    const opened = new NativeBinding(this, binding, slot, listening);
    this.#noteNotInForce(opened, listening.refused);
    this.#bindings.set(slot, opened);
    if (this.#workers.isRunning) this.#workers.tell(openCommand(opened));
    else await this.#startWorkers();
    return opened;
  }

  async #startWorkers(): Promise<void> {
    await this.#workers.start();
    // Again: the workers themselves have descriptors.
    this.#noteRoom(this.#options.descriptors ?? countDescriptors());
  }

  #noteRoom(count: DescriptorCount): void {
    this.#memory.room = new Descriptors(count).room;
  }

  #freeSlot(): number {
    for (const [slot, it] of this.#bindings) {
      if (it.isOver && this.#memory.live(slot) === 0) this.#bindings.delete(slot);
    }
    for (let slot = 0; slot < BINDING_SLOTS; slot++) if (!this.#bindings.has(slot)) return slot;
    throw new SystemError("BINDINGS_EXHAUSTED", `more than ${BINDING_SLOTS} services listen`, {});
  }

  updated(opened: NativeBinding, before: BindingOptions): void {
    const { slot, binding, listeners, options } = opened;
    if (!opened.isClosed && binding.protocol === "tcp") {
      const changed = listenerOptions(options.tcp ?? {}, before.tcp);
      const refused = listeners.flatMap((it) => applyOptions(this.#sockets, it, changed));
      this.#noteNotInForce(opened, refused);
    }
    this.#workers.tell({ kind: "update", slot, options: opened.optionsToSend });
  }

  #noteNotInForce(opened: NativeBinding, refused: readonly NotInForce[]): void {
    opened.notInForce = [...refused, ...switchedOff(opened.options.tcp ?? {}, readSwitch)];
  }

  async closed(opened: NativeBinding): Promise<void> {
    const { slot } = opened;
    await (opened.refusing ??= this.#workers.ask((request) => ({ kind: "close", slot, request })));
    if (opened.binding.protocol === "tcp") this.#letGo(opened);
    else await this.#releaseIdle(opened);
  }

  /** Both ways of live UDP sessions lead through the listeners: these stay until the last session has ended. */
  async #releaseIdle(opened: NativeBinding): Promise<void> {
    const { slot } = opened;
    if (this.#memory.live(slot) > 0) return;
    // Until every worker has let go of them, their numbers must not be given to other sockets.
    await (opened.releasing ??= this.#workers
      .ask((request) => ({ kind: "release", slot, request }))
      .then(() => this.#letGo(opened)));
  }

  #letGo(opened: NativeBinding): void {
    if (opened.isOver) return;
    opened.isOver = true;
    for (const it of opened.listeners) this.#sockets.close(it);
    this.#workers.tell({ kind: "listeners-changed" });
  }

  liveConnections(service?: number): number {
    const live = this.#slots(service).reduce((sum, slot) => sum + this.#memory.live(slot), 0);
    // Whoever hears that connections are gone has heard of their ends.
    this.#workers.drainEvents();
    return live;
  }

  #slots(service?: number): number[] {
    const all = [...this.#bindings.values()];
    return all.filter((it) => service === undefined || it.binding.service === service).map((it) => it.slot);
  }

  destinationRemoved(destination: number, cut: boolean): void {
    this.#workers.tell({ kind: "destination-removed", destination, cut });
  }

  /** Entries belong to the workers, which notice themselves. */
  entryExpired(_entry: number): void {}

  async resetAll(spreadMs: number, reason: EndReason, service?: number): Promise<void> {
    const slots = this.#slots(service);
    await this.#workers.ask((request) => ({ kind: "reset", slots, spreadMs, reason, request }));
  }

  async whenIdle(): Promise<void> {
    this.#memory.wantsIdle = true;
    while (!this.#isStopped && this.liveConnections() > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idleWaiters.push(resolve);
      this.#workers.ring();
      await promise;
    }
    this.#workers.drainEvents();
    if (this.#idleWaiters.length === 0) this.#memory.wantsIdle = false;
  }

  /** Whether rules have to be asked about new connections from now on, and have to know of those there are. */
  judge(areJudged: boolean, areCounted: boolean): void {
    this.#memory.judges = areJudged && this.#judgements.hasJudge;
    if (areCounted) this.#workers.tell({ kind: "introduce" });
  }

  /** Resolves when every worker has seen all changes made before. */
  async passed(): Promise<void> {
    await this.#workers.ask((request) => ({ kind: "pass", request }));
  }

  /** For tests: one worker dies of an error. */
  fail(worker: number): void {
    this.#workers.fail(worker);
  }

  /** Moves the workers' directors to these times, one after the other. */
  async advance(timesMs: readonly number[]): Promise<void> {
    await this.#workers.ask((request) => ({ kind: "advance", timesMs, request }));
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#mirror?.cancel();
    await Promise.all([...this.#bindings.values()].map((it) => it.close()));
    this.#isStopped = true;
    await this.#workers.stop();
    for (const it of this.#bindings.values()) this.#letGo(it);
    this.#wakeIdleWaiters();
    this.#libc[Symbol.dispose]();
  }

  reported(worker: WorkerThread, report: Report): void {
    const { director, events } = this.#options;
    switch (report.kind) {
      case "ready":
        return director.attachConnections(worker.number, report.connections);
      case "idle":
        return this.#wakeIdleWaiters();
      case "trouble":
        return events.trouble(report.service, report.message);
      case "judge":
        return worker.tell(this.#judgements.judged(worker.number, report));
      case "introduce": {
        const answer = this.#judgements.introduced(worker.number, report);
        return answer === undefined ? undefined : worker.tell(answer);
      }
      case "left":
        return this.#judgements.left(worker.number, report);
      case "ask-loop": {
        const { protocol, destination, host, port } = report;
        const isLoop = this.#options.isOwnListener(protocol, { address: IpAddress.parse(host), port });
        return worker.tell({ kind: "loop", protocol, destination, port, isLoop });
      }
      case "emptied":
        return void this.#emptied(report.slot);
    }
  }

  /** The last session of a worker has ended in a service that takes no new ones. */
  async #emptied(slot: number): Promise<void> {
    const opened = this.#bindings.get(slot);
    if (opened?.isClosed && !this.#isStopped) await this.#releaseIdle(opened);
  }

  #wakeIdleWaiters(): void {
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  happened(record: EventRecord, ended: EndedConnection): void {
    const { events } = this.#options;
    if (record.kind === EVENT.ended) events.ended(ended);
    else if (record.kind === EVENT.dropped) {
      for (let i = 0; i < record.count; i++) events.dropped(record.service, record.reason);
    } else if (record.kind === EVENT.connectFailed) events.connectFailed(record.destination, record.reason);
    else events.connectSucceeded(record.destination);
  }

  lost(worker: WorkerThread, events: number): void {
    for (const { binding } of this.#bindings.values()) {
      this.#options.events.trouble(
        binding.service,
        `worker ${worker.number}: ${events} ends of connections came faster than they could be counted`,
      );
    }
  }

  died(worker: WorkerThread, cause: Error | undefined): void {
    const { director, events } = this.#options;
    const lost = [...this.#bindings.values()].map(({ binding, slot }) => ({
      service: binding.service,
      live: this.#memory.liveIn(worker.number, slot),
    }));
    const { descriptors } = this.#memory.bury(worker.number);
    for (const descriptor of descriptors) this.#sockets.reset(descriptor);
    this.#judgements.died(worker.number);
    if (worker.connections !== undefined) {
      director.attachConnections(worker.number, undefined);
      director.recoverWorker(worker.number, worker.connections);
    }
    for (const { service, live } of lost) {
      for (let i = 0; i < live; i++) events.dropped(service, "worker-died");
      events.trouble(
        service,
        `worker ${worker.number} died (${cause?.message ?? "no reason known"}), ${live} of its connections ` +
          "are lost; it is started again",
      );
    }
    // Clients that others hold may take the place of its connections.
    this.#workers.ring();
    this.#wakeIdleWaiters();
    for (const { slot } of this.#bindings.values()) void this.#emptied(slot);
  }
}

function openCommand(opened: NativeBinding): OpenCommand {
  const { slot, binding, bound, listeners, optionsToSend } = opened;
  return {
    kind: "open",
    slot,
    service: binding.service,
    protocol: binding.protocol,
    descriptors: listeners,
    address: `${bound.address}`,
    port: bound.port,
    options: optionsToSend,
  };
}
