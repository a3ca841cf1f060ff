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
import { Troubles } from "../troubles.ts";
import { ConnectionTimers } from "./connection_timers.ts";
import { EngineMemory } from "./engine_memory.ts";
import { EntryOwners } from "./entry_owners.ts";
import { EventNews } from "./event_news.ts";
import { EventWriter } from "./event_ring.ts";
import type { Command, OpenCommand, Report, WorkerStart } from "./messages.ts";
import { LateCounts } from "./late_counts.ts";
import { Pipes } from "./pipes.ts";
import { Questions } from "./questions.ts";
import { Reactor } from "./reactor.ts";
import { SideBuffers } from "./side_buffers.ts";
import { SpreadResets } from "./spread_resets.ts";
import { Targets } from "./targets.ts";
import type { TcpConnection } from "./tcp_connection.ts";
import { TcpRecords } from "./tcp_records.ts";
import { TcpService } from "./tcp_service.ts";
import type { UdpService } from "./udp_service.ts";
import { UdpServices } from "./udp_services.ts";
import type { UdpSession } from "./udp_session.ts";
import { WorkerClock } from "./worker_clock.ts";
import type { Paused, WorkerParts } from "./worker_parts.ts";

/** Events of one wait. */
const EVENTS = 512;

/** Runs until it is stopped; owns everything that it opened. */
export class WorkerLoop {
  readonly #start: WorkerStart;
  readonly #libc = Libc.open();
  readonly #epoll = new Epoll(this.#libc, EVENTS);
  readonly #bell: EventFd;
  readonly #memory: EngineMemory;
  readonly #director: Director;
  /** Where its decisions are remembered. */
  readonly #flight: FlightRing | undefined;
  readonly #events: EventWriter;
  readonly #news: EventNews;
  readonly #clock: WorkerClock;
  readonly #records: TcpRecords;
  readonly #udp: UdpServices;
  readonly #entries: EntryOwners;
  readonly #reactor: Reactor;
  readonly #timers: ConnectionTimers;
  readonly #parts: WorkerParts;
  readonly #resets = new SpreadResets();
  readonly #troubles: Troubles;
  readonly #questions = new Questions((report) => this.#say(report));
  readonly #services = new Map<number, TcpService>();
  /** Services that do not accept for a while. */
  readonly #paused = new Set<Paused>();
  readonly #counts = new LateCounts();
  #mailRead = 0;
  /** The clock's time of the next look at timers. */
  #tickMs = 0;
  /** Turns since another thread told the time, and what it was then. */
  #toldTurns = 2;
  #toldMs = 0;
  #saidIdle = false;

  constructor(start: WorkerStart) {
    const { worker, seed, connectionEntries } = start;
    this.#start = start;
    this.#memory = EngineMemory.attach(start.memory);
    this.#bell = EventFd.from(this.#libc, start.bell);
    this.#entries = new EntryOwners(connectionEntries);
    this.#records = new TcpRecords(connectionEntries);
    const parts: DirectorOptions = {
      store: Store.attach(start.store),
      random: new SeededRandom(seed),
      findScheduler,
      workerIndex: worker,
      connectionEntries,
      onExpire: (entry) => this.#entryExpired(entry),
    };
    this.#flight = start.flight === undefined ? undefined : new FlightRing(start.flight);
    this.#director = this.#flight === undefined
      ? new Director(parts)
      : new RecordedDirector({ ...parts, ring: this.#flight });
    this.#events = new EventWriter(start.events);
    this.#news = new EventNews(this.#events, () => this.#say({ kind: "events" }));
    this.#clock = new WorkerClock(this.#libc, this.#memory, start.clockZeroMs);
    this.#reactor = new Reactor(this.#epoll, () => {
      this.#records.turned();
      this.#udp.turned();
    });
    this.#udp = new UdpServices(seed, this.#questions, {
      readMail: this.#readMail,
      emptied: (slot) => this.#say({ kind: "emptied", slot }),
    });
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
        (target) => this.#questions.isLoop(target),
      ),
      buffers: new SideBuffers(),
      pipes: new Pipes(sockets, this.#memory, worker),
      entries: this.#entries,
      questions: this.#questions,
      leave: (connection) => this.#records.leave(connection),
      uncounted: this.#counts.uncounted,
      moving: this.#counts.moving,
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
    let wokenMs = this.#clock.realMs;
    const woken = () => {
      this.#clock.refresh();
      wokenMs = this.#clock.realMs;
    };
    try {
      while (!this.#memory.isStopped(worker)) {
        this.#reactor.turn(this.#timeoutMs(), woken);
        this.#readMail();
        this.#tick();
        this.#publish();
        this.#news.look(this.#clock.realMs, this.#memory.wantsIdle);
        this.#tellIdle();
        this.#memory.turns.add(worker, this.#clock.readReal() - wokenMs, this.#clock.nowMs);
      }
      this.#end();
    } finally {
      // What came before its death tells most about it.
      this.#publish();
    }
  }

  /** Lets the main thread see what happened so far. */
  #publish(): void {
    this.#flight?.publish();
    this.#events.publish();
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
    return this.#memory.hasMail(this.#start.worker, this.#mailRead);
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
        return this.#open(command);
      case "update":
        return this.#service(command.slot)?.update(command.options);
      case "close":
        this.#service(command.slot)?.close();
        return this.#done(command);
      case "release":
        this.#udp.release(command.slot);
        return this.#done(command);
      case "destination-removed":
        return this.#destinationRemoved(command.destination, command.cut);
      case "reset":
        return this.#reset(command);
      case "loop":
        return this.#parts.targets.answered(
          command.destination,
          command.port,
          command.protocol,
          command.isLoop,
        );
      case "judged": {
        const { connection, startMs, refusal, mark, admission } = command;
        return this.#connection(connection)?.judged(startMs, refusal, mark, admission);
      }
      case "introduce":
        return this.#introduceAll();
      case "introduced": {
        const { connection, startMs, admission } = command;
        return this.#connection(connection)?.introduced(startMs, admission);
      }
      case "listeners-changed":
        return this.#parts.targets.listenersChanged();
      case "advance":
        for (const nowMs of command.timesMs) this.#director.advance(nowMs);
        return this.#done(command);
      case "pass":
        return this.#done(command);
      case "fail":
        throw new Error("told to fail");
    }
  }

  #open(command: OpenCommand): void {
    if (command.protocol === "udp") this.#udp.open(this.#parts, command);
    else {
      const service = new TcpService(this.#parts, this.#records, command, this.#readMail);
      this.#services.set(command.slot, service);
    }
    this.#parts.targets.listenersChanged();
  }

  #service(slot: number): TcpService | UdpService | undefined {
    return this.#services.get(slot) ?? this.#udp.get(slot);
  }

  #done({ request }: { readonly request: number }): void {
    this.#say({ kind: "done", request });
  }

  /** By its number: those of UDP are below 0. */
  #connection(id: number): TcpConnection | UdpSession | undefined {
    return id < 0 ? this.#udp.session(id) : this.#records.get(id);
  }

  #introduceAll(): void {
    for (const it of this.#records.live()) it.introduce();
    for (const it of this.#udp.entered()) this.#questions.introduce(it.id, it.startMs, it.flow, it.admission);
  }

  #destinationRemoved(destination: number, cut: boolean): void {
    this.#parts.targets.forget(destination);
    this.#udp.destinationRemoved(destination);
    if (!cut) return;
    for (const it of this.#records.live()) if (it.destination === destination) it.end("destination-removed");
  }

  #reset({ slots, spreadMs, reason, request }: Command & { kind: "reset" }): void {
    this.#udp.endAll(slots, reason);
    const wanted = new Set(slots);
    const doomed = [...this.#records.live()].filter((it) => wanted.has(it.service?.slot ?? -1));
    // Held ones first: they would only be started by the end of the others.
    doomed.sort((a, b) => Number(b.isHeld) - Number(a.isHeld));
    this.#resets.start(doomed, spreadMs, reason, () => {
      this.#news.announce();
      this.#say({ kind: "done", request });
    });
  }

  #entryExpired(entry: number): void {
    const id = this.#entries.of(entry);
    if (id < 0) this.#udp.entryExpired(id, entry);
    if (id <= 0) return;
    const connection = this.#records.get(id);
    if (connection?.flow.entry === entry) connection.entryExpired();
  }

  #timeoutMs(): number {
    if (this.#hasMail || (this.#clock.isTold && this.#toldTurns < 2)) return 0;
    let dueMs = Math.min(this.#news.dueMs, this.#counts.bytesDueMs);
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
    return this.#timers.pending > 0 || this.#director.connectionCount > 0 || this.#udp.hasDeadlines;
  }

  #tick(): void {
    if (this.#resets.isActive) this.#resets.advance();
    if (this.#paused.size > 0) this.#resume();
    this.#counts.tellBytes(this.#clock.realMs);
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

  #resume(): void {
    for (const service of this.#paused) if (service.resume()) this.#paused.delete(service);
  }

  #advance(nowMs: number): void {
    this.#tickMs = nowMs + LIMITS.directorTickMs;
    this.#counts.tellPackets(nowMs);
    this.#timers.advance(nowMs);
    this.#udp.tick(nowMs);
    this.#director.advance(nowMs);
  }

  /** The main thread waits until nothing is live. */
  #tellIdle(): void {
    if (!this.#memory.wantsIdle || this.#live > 0) {
      this.#saidIdle = false;
    } else if (!this.#saidIdle) {
      this.#saidIdle = true;
      this.#news.announce();
      this.#say({ kind: "idle" });
    }
  }

  get #live(): number {
    let live = this.#udp.live;
    for (const service of this.#services.values()) live += service.live;
    return live;
  }

  #ringAll(): void {
    for (let worker = 1; worker <= this.#memory.workers; worker++) {
      EventFd.from(this.#libc, this.#memory.bell(worker)).signal();
    }
  }

  #say(report: Report): void {
    // Whoever hears it has heard of what happened before.
    this.#publish();
    this.#start.port.postMessage(report);
  }

  #end(): void {
    for (const service of this.#services.values()) service.close();
    for (const it of [...this.#records.live()]) it.end("drained");
    this.#udp.end();
    this.#parts.pipes.closeAll();
    this.#news.announce();
    this.#start.port.close();
    this.#memory.closed(this.#epoll.descriptor);
    this.#epoll[Symbol.dispose]();
    this.#libc[Symbol.dispose]();
  }
}
