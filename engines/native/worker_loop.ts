/**
 * One thread of the native engine: a director over the shared store, a reactor, and the connections it has accepted.
 *
 * @module
 */
import { receiveMessageOnPort } from "node:worker_threads";
import { Director, type DirectorOptions } from "../../director/director.ts";
import { FlightRing } from "../../director/flight_ring.ts";
import { RecordedDirector } from "../../director/recorded_director.ts";
import { Store } from "../../director/store.ts";
import { LIMITS } from "../../limits.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import { EPOLL, Epoll } from "../../sys/epoll.ts";
import { EventFd } from "../../sys/event_fd.ts";
import { Libc } from "../../sys/libc.ts";
import { Sockets } from "../../sys/sockets.ts";
import { ConnectionTimers } from "./connection_timers.ts";
import { EngineMemory } from "./engine_memory.ts";
import { EntryOwners } from "./entry_owners.ts";
import { EventWriter } from "./event_ring.ts";
import type { Command, Report, WorkerStart } from "./messages.ts";
import { Pipes } from "./pipes.ts";
import { Reactor } from "./reactor.ts";
import { SideBuffers } from "./side_buffers.ts";
import { SpreadResets } from "./spread_resets.ts";
import { Targets } from "./targets.ts";
import { TcpRecords } from "./tcp_records.ts";
import { TcpService } from "./tcp_service.ts";
import { Troubles } from "./troubles.ts";
import { WorkerClock } from "./worker_clock.ts";
import type { Moving, Paused, Uncounted, WorkerParts } from "./worker_parts.ts";

/** Events of one wait. */
const EVENTS = 512;
/** How long bytes may be uncounted. */
const COUNT_DELAY_MS = 10;
/** Distance of two countings of packets: what IPVS's own estimator takes to look at its counters. */
const PACKETS_MS = 2_000;
/** How long an event may wait for company on its way to the main thread. */
const EVENT_DELAY_MS = 20;

/** Runs until it is stopped; owns everything that it opened. */
export class WorkerLoop {
  readonly #start: WorkerStart;
  readonly #libc = Libc.open();
  readonly #epoll = new Epoll(this.#libc, EVENTS);
  readonly #bell: EventFd;
  readonly #memory: EngineMemory;
  readonly #director: Director;
  readonly #events: EventWriter;
  readonly #clock: WorkerClock;
  readonly #records = new TcpRecords();
  readonly #entries: EntryOwners;
  readonly #reactor: Reactor;
  readonly #timers: ConnectionTimers;
  readonly #parts: WorkerParts;
  readonly #resets = new SpreadResets();
  readonly #troubles: Troubles;
  readonly #services = new Map<number, TcpService>();
  /** Services that do not accept for a while. */
  readonly #paused = new Set<Paused>();
  readonly #uncounted: Uncounted[] = [];
  readonly #moving: Moving[] = [];
  /** The clock's time of their next counting. */
  #packetsMs = 0;
  /** When the director has to be told of them. */
  #countMs = Infinity;
  #mailRead = 0;
  /** The clock's time of the next look at timers. */
  #tickMs = 0;
  /** Turns since another thread told the time, and what it was then. */
  #toldTurns = 2;
  #toldMs = 0;
  #saidIdle = false;
  /** When events have to be announced. */
  #announceMs = Infinity;

  constructor(start: WorkerStart) {
    const { worker, seed, connectionEntries } = start;
    this.#start = start;
    this.#memory = EngineMemory.attach(start.memory);
    this.#bell = EventFd.from(this.#libc, start.bell);
    this.#entries = new EntryOwners(connectionEntries);
    const parts: DirectorOptions = {
      store: Store.attach(start.store),
      random: new SeededRandom(seed),
      findScheduler,
      workerIndex: worker,
      connectionEntries,
      onExpire: (entry) => this.#entryExpired(entry),
    };
    this.#director = start.flight === undefined
      ? new Director(parts)
      : new RecordedDirector({ ...parts, ring: new FlightRing(start.flight) });
    this.#events = new EventWriter(start.events);
    this.#clock = new WorkerClock(this.#libc, this.#memory, start.clockZeroMs);
    this.#reactor = new Reactor(this.#epoll, () => this.#records.turned());
    this.#timers = new ConnectionTimers(
      connectionEntries,
      (id, nowMs) => this.#records.get(id)?.deadlineMissed(nowMs),
    );
    this.#troubles = new Troubles((service, message) => this.#say({ kind: "trouble", service, message }));
    this.#parts = this.#makeParts();
    this.#records.attach(this.#parts);
  }

  #makeParts(): WorkerParts {
    const { worker } = this.#start;
    const sockets = new Sockets(this.#libc);
    // The one place where traffic enters: rules at accept wrap this.
    const traffic = this.#director;
    return {
      worker,
      traffic,
      sockets,
      clock: this.#clock,
      reactor: this.#reactor,
      memory: this.#memory,
      events: this.#events,
      timers: this.#timers,
      targets: new Targets(
        traffic,
        ({ destination, host, port }) => this.#say({ kind: "ask-loop", destination, host, port }),
      ),
      buffers: new SideBuffers(),
      pipes: new Pipes(sockets, this.#memory, worker),
      entries: this.#entries,
      judge: (connection, startMs, flow) =>
        this.#say({
          kind: "judge",
          connection,
          startMs,
          service: flow.service,
          family: flow.family,
          client: flow.client.slice(),
          clientPort: flow.clientPort,
          virtual: flow.virtual.slice(),
          virtualPort: flow.virtualPort,
        }),
      left: (admission) => this.#say({ kind: "left", admission }),
      leave: (connection) => this.#records.leave(connection),
      uncounted: this.#uncounted,
      moving: this.#moving,
      pause: (service) => this.#paused.add(service),
      trouble: (service, message) => this.#troubles.tell(service, message),
      ringAll: () => this.#ringAll(),
    };
  }

  /** The loop. */
  run(): void {
    const { worker } = this.#start;
    this.#reactor.watch(this.#bell.descriptor, EPOLL.in, { ready: () => this.#rung() });
    // Whoever buries a dead worker closes this too.
    this.#memory.opened(worker, this.#epoll.descriptor);
    const connections = this.#director.connectionMemory;
    this.#say({ kind: "ready", connections });
    const woken = () => this.#clock.refresh();
    while (!this.#memory.isStopped(worker)) {
      this.#reactor.turn(this.#timeoutMs(), woken);
      this.#readMail();
      this.#tick();
      this.#announce();
      this.#tellIdle();
    }
    this.#end();
  }

  readonly #readMail = (): void => {
    if (!this.#hasMail) return;
    for (let mail = this.#nextMail(); mail !== undefined; mail = this.#nextMail()) {
      this.#mailRead = (this.#mailRead + 1) | 0;
      this.#obey(mail.message);
    }
  };

  #nextMail(): { message: Command } | undefined {
    return receiveMessageOnPort(this.#start.port);
  }

  get #hasMail(): boolean {
    return this.#memory.mailCount(this.#start.worker) !== this.#mailRead;
  }

  /** By the main thread, or by a worker whose connection made room for one of ours. */
  #rung(): void {
    this.#bell.drain();
    // After the bell: what it rang for has been told by then.
    this.#clock.refresh();
    this.#readMail();
    for (const service of this.#services.values()) if (service.hasHeld) service.startHeld();
    this.#toldTurns = 0;
  }

  #obey(command: Command): void {
    switch (command.kind) {
      case "open":
        this.#services.set(
          command.slot,
          new TcpService(this.#parts, this.#records, command, this.#readMail),
        );
        return this.#parts.targets.listenersChanged();
      case "update":
        return this.#services.get(command.slot)?.update(command.options);
      case "close":
        this.#services.get(command.slot)?.close();
        return this.#say({ kind: "done", request: command.request });
      case "destination-removed":
        return this.#destinationRemoved(command.destination, command.cut);
      case "reset":
        return this.#reset(command);
      case "loop":
        return this.#parts.targets.answered(command.destination, command.port, command.isLoop);
      case "judged": {
        const { connection, startMs, refusal, mark, admission } = command;
        return this.#records.get(connection)?.judged(startMs, refusal, mark, admission);
      }
      case "introduce":
        return this.#introduceAll();
      case "introduced": {
        const { connection, startMs, admission } = command;
        return this.#records.get(connection)?.introduced(startMs, admission);
      }
      case "listeners-changed":
        return this.#parts.targets.listenersChanged();
      case "advance":
        for (const nowMs of command.timesMs) this.#director.advance(nowMs);
        return this.#say({ kind: "done", request: command.request });
      case "pass":
        return this.#say({ kind: "done", request: command.request });
      case "fail":
        throw new Error("told to fail");
    }
  }

  #introduceAll(): void {
    for (const { id, startMs, flow, isUnknown } of this.#records.live()) {
      if (!isUnknown) continue;
      const { family } = flow;
      this.#say({ kind: "introduce", connection: id, startMs, family, client: flow.client.slice() });
    }
  }

  #destinationRemoved(destination: number, cut: boolean): void {
    this.#parts.targets.forget(destination);
    if (!cut) return;
    for (const it of this.#records.live()) if (it.destination === destination) it.end("destination-removed");
  }

  #reset({ slots, spreadMs, reason, request }: Command & { kind: "reset" }): void {
    const wanted = new Set(slots);
    const doomed = [...this.#records.live()].filter((it) => wanted.has(it.service?.slot ?? -1));
    // Held ones first: they would only be started by the end of the others.
    doomed.sort((a, b) => Number(b.isHeld) - Number(a.isHeld));
    this.#resets.start(doomed, spreadMs, reason, () => {
      this.#announceNow();
      this.#say({ kind: "done", request });
    });
  }

  #entryExpired(entry: number): void {
    const id = this.#entries.of(entry);
    if (id === 0) return;
    const connection = this.#records.get(id);
    if (connection?.flow.entry === entry) connection.entryExpired();
  }

  #timeoutMs(): number {
    if (this.#hasMail || (this.#clock.isTold && this.#toldTurns < 2)) return 0;
    let dueMs = Math.min(this.#announceMs, this.#countMs);
    if (this.#resets.isActive) dueMs = Math.min(dueMs, this.#resets.dueMs);
    const nowMs = this.#clock.realMs;
    if (!this.#clock.isTold && this.#hasDeadlines()) {
      const tickMs = nowMs + Math.max(0, this.#tickMs - this.#clock.nowMs);
      if (tickMs < dueMs) dueMs = tickMs;
    }
    if (this.#paused.size > 0 && nowMs + LIMITS.acceptBackOffMs < dueMs) {
      dueMs = nowMs + LIMITS.acceptBackOffMs;
    }
    return dueMs === Infinity ? -1 : Math.max(0, Math.ceil(dueMs - nowMs));
  }

  #hasDeadlines(): boolean {
    return this.#timers.pending > 0 || this.#director.connectionCount > 0;
  }

  #tick(): void {
    if (this.#resets.isActive) this.#resets.advance();
    if (this.#paused.size > 0) this.#resume();
    if (this.#uncounted.length > 0) this.#tellCounts();
    if (this.#clock.isTold) {
      // What happened before time was moved comes before what is due by then: one turn more for it.
      if (this.#toldTurns === 1) this.#advance(this.#toldMs);
      else if (this.#toldTurns === 0) this.#toldMs = this.#clock.nowMs;
      if (this.#toldTurns < 2) this.#toldTurns++;
      return;
    }
    if (this.#clock.nowMs < this.#tickMs) return;
    this.#advance(this.#clock.nowMs);
    for (const [slot, service] of this.#services) {
      if (!service.isOpen && service.live === 0) this.#services.delete(slot);
    }
  }

  #tellCounts(): void {
    const { realMs } = this.#clock;
    if (this.#countMs === Infinity) this.#countMs = realMs + COUNT_DELAY_MS;
    if (realMs < this.#countMs) return;
    this.#countMs = Infinity;
    for (const it of this.#uncounted) it.tellCount();
    this.#uncounted.length = 0;
  }

  #resume(): void {
    for (const service of this.#paused) if (service.resume()) this.#paused.delete(service);
  }

  #advance(nowMs: number): void {
    this.#tickMs = nowMs + LIMITS.directorTickMs;
    if (nowMs >= this.#packetsMs && this.#moving.length > 0) this.#tellPackets(nowMs);
    this.#timers.advance(nowMs);
    this.#director.advance(nowMs);
  }

  /** Asking the kernel costs a system call for each socket: done seldom, and never for a connection that stands still. */
  #tellPackets(nowMs: number): void {
    this.#packetsMs = nowMs + PACKETS_MS;
    for (const it of this.#moving) it.tellPackets();
    this.#moving.length = 0;
  }

  #announce(): void {
    if (!this.#events.hasNews) {
      // The main thread may have looked by itself.
      this.#announceMs = Infinity;
      return;
    }
    const nowMs = this.#clock.realMs;
    if (this.#announceMs === Infinity) this.#announceMs = nowMs + EVENT_DELAY_MS;
    if (nowMs >= this.#announceMs || this.#events.isUrgent || this.#memory.wantsIdle) this.#announceNow();
  }

  /** The main thread waits until nothing is live. */
  #tellIdle(): void {
    if (!this.#memory.wantsIdle || this.#live > 0) {
      this.#saidIdle = false;
    } else if (!this.#saidIdle) {
      this.#saidIdle = true;
      this.#announceNow();
      this.#say({ kind: "idle" });
    }
  }

  get #live(): number {
    let live = 0;
    for (const service of this.#services.values()) live += service.live;
    return live;
  }

  #announceNow(): void {
    this.#announceMs = Infinity;
    if (!this.#events.hasNews) return;
    this.#events.announced();
    this.#say({ kind: "events" });
  }

  #ringAll(): void {
    for (let worker = 1; worker <= this.#memory.workers; worker++) {
      EventFd.from(this.#libc, this.#memory.bell(worker)).signal();
    }
  }

  #say(report: Report): void {
    this.#start.port.postMessage(report);
  }

  #end(): void {
    for (const service of this.#services.values()) service.close();
    for (const it of [...this.#records.live()]) it.end("drained");
    this.#parts.pipes.closeAll();
    this.#announceNow();
    this.#start.port.close();
    this.#memory.closed(this.#epoll.descriptor);
    this.#epoll[Symbol.dispose]();
    this.#libc[Symbol.dispose]();
  }
}
