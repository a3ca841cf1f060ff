/**
 * Memory that the threads of a native engine share besides the director's store.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { TurnTimes } from "./turn_times.ts";

/** Bindings of one engine at a time: every service, and those that are on their way out. */
export const BINDING_SLOTS = 8_192;

/** Words of all threads. What all of them write has cache lines of its own, so that reading the others stays cheap. */
const ALL = {
  /** How many descriptors there may be. */
  room: 0,
  /** Main wants to hear when a worker has nothing live any more. */
  wantsIdle: 1,
  /** New connections are judged by rules. */
  judges: 2,
  /** Descriptors set aside by all workers for sockets and pipes. */
  descriptors: 16,
  /** Of the descriptors, those of UDP sessions. */
  sessions: 32,
  count: 48,
} as const;

/** Words of each worker; `live` and `held` are one word for each slot. */
const OWN = {
  stop: 0,
  mail: 1,
  bell: 2,
  reserved: 3,
  sessions: 4,
  live: 16,
  held: 16 + BINDING_SLOTS,
  count: 16 + 2 * BINDING_SLOTS,
} as const;

/** What a worker is handed at its start. */
export interface EngineBuffers {
  readonly words: SharedArrayBuffer;
  readonly owners: SharedArrayBuffer;
  readonly time: SharedArrayBuffer;
  readonly turns: SharedArrayBuffer;
}

/**
 * Counters over all workers. What a worker counts stands in words of its own, so that a dead one's part is known and can be
 * taken back.
 *
 * What a worker looks at in every turn is read without `Atomics`, which V8 calls and does not inline (10 ns each): a turn has
 * a system call, so the next one sees what this one missed.
 */
export class EngineMemory {
  readonly buffers: EngineBuffers;
  readonly workers: number;
  readonly turns: TurnTimes;
  readonly #all: Int32Array<SharedArrayBuffer>;
  /** Connections of a slot that run, over all workers. */
  readonly #running: Int32Array<SharedArrayBuffer>;
  readonly #own: Int32Array<SharedArrayBuffer>;
  /** Number of the worker that opened a descriptor, by descriptor. */
  readonly #owners: Uint8Array<SharedArrayBuffer>;
  readonly #time: Float64Array<SharedArrayBuffer>;

  private constructor(buffers: EngineBuffers) {
    const { words } = buffers;
    const shared = ALL.count + BINDING_SLOTS;
    this.buffers = buffers;
    this.#all = new Int32Array(words, 0, ALL.count);
    this.#running = new Int32Array(words, ALL.count * 4, BINDING_SLOTS);
    this.#own = new Int32Array(words, shared * 4);
    this.workers = this.#own.length / OWN.count - 1;
    this.#owners = new Uint8Array(buffers.owners);
    this.#time = new Float64Array(buffers.time);
    this.turns = new TurnTimes(buffers.turns);
  }

  /**
   * @param workers they have the numbers from 1
   * @param descriptorLimit the highest descriptor of the process
   */
  static create(workers: number, descriptorLimit: number): EngineMemory {
    const words = ALL.count + BINDING_SLOTS + (workers + 1) * OWN.count;
    return new EngineMemory({
      words: new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT),
      owners: new SharedArrayBuffer(Math.min(descriptorLimit, 2 ** 20)),
      time: new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT),
      turns: TurnTimes.createBuffer(workers),
    });
  }

  /** The memory that another thread made. */
  static attach(buffers: EngineBuffers): EngineMemory {
    return new EngineMemory(buffers);
  }

  /** Time of a clock that only the main thread can read; see `WorkerClock`. */
  get timeMs(): number {
    return this.#time[0] ?? 0;
  }

  set timeMs(ms: number) {
    this.#time[0] = ms;
  }

  get wantsIdle(): boolean {
    return this.#all[ALL.wantsIdle] === 1;
  }

  set wantsIdle(wanted: boolean) {
    Atomics.store(this.#all, ALL.wantsIdle, wanted ? 1 : 0);
  }

  get judges(): boolean {
    return Atomics.load(this.#all, ALL.judges) === 1;
  }

  set judges(judges: boolean) {
    Atomics.store(this.#all, ALL.judges, judges ? 1 : 0);
  }

  isStopped(worker: number): boolean {
    return this.#own[worker * OWN.count + OWN.stop] === 1;
  }

  stop(worker: number): void {
    Atomics.store(this.#own, worker * OWN.count + OWN.stop, 1);
  }

  /** Descriptor of the worker's bell. */
  bell(worker: number): number {
    return Atomics.load(this.#own, worker * OWN.count + OWN.bell);
  }

  setBell(worker: number, descriptor: number): void {
    Atomics.store(this.#own, worker * OWN.count + OWN.bell, descriptor);
  }

  /** Whether there are other messages in the worker's mailbox than so many. */
  hasMail(worker: number, read: number): boolean {
    const word = worker * OWN.count + OWN.mail;
    // Only a load that orders says that the message is there too.
    return this.#own[word] !== read && Atomics.load(this.#own, word) !== read;
  }

  mailed(worker: number): void {
    Atomics.add(this.#own, worker * OWN.count + OWN.mail, 1);
  }

  /** Live connections of a slot. */
  live(slot: number): number {
    let sum = 0;
    for (let worker = 1; worker <= this.workers; worker++) {
      sum += Atomics.load(this.#own, worker * OWN.count + OWN.live + slot);
    }
    return sum;
  }

  /** Live connections of a slot in one worker. */
  liveIn(worker: number, slot: number): number {
    return Atomics.load(this.#own, worker * OWN.count + OWN.live + slot);
  }

  /** Live connections of a slot in the worker that has the fewest. */
  leastLive(slot: number): number {
    let least = Infinity;
    for (let worker = 1; worker <= this.workers; worker++) {
      least = Math.min(least, this.#own[worker * OWN.count + OWN.live + slot] ?? 0);
    }
    return least;
  }

  addLive(worker: number, slot: number, change: number): void {
    Atomics.add(this.#own, worker * OWN.count + OWN.live + slot, change);
  }

  addHeld(worker: number, slot: number, change: number): void {
    Atomics.add(this.#own, worker * OWN.count + OWN.held + slot, change);
  }

  /** Connections of a slot that wait, over all workers. */
  held(slot: number): number {
    let sum = 0;
    for (let worker = 1; worker <= this.workers; worker++) {
      sum += Atomics.load(this.#own, worker * OWN.count + OWN.held + slot);
    }
    return sum;
  }

  /** Counts one more that runs, unless that would be more than `most`. */
  tryRun(slot: number, most: number): boolean {
    if (Atomics.add(this.#running, slot, 1) < most) return true;
    Atomics.sub(this.#running, slot, 1);
    return false;
  }

  endRun(slot: number): void {
    Atomics.sub(this.#running, slot, 1);
  }

  /** How many descriptors sockets and pipes may have. */
  set room(count: number) {
    this.#all[ALL.room] = Math.min(count, 2 ** 30);
  }

  /** Sets so many descriptors aside, if there is room for them. */
  tryReserve(worker: number, count: number): boolean {
    if (Atomics.add(this.#all, ALL.descriptors, count) + count > (this.#all[ALL.room] ?? 0)) {
      Atomics.sub(this.#all, ALL.descriptors, count);
      return false;
    }
    this.#own[worker * OWN.count + OWN.reserved] = (this.#own[worker * OWN.count + OWN.reserved] ?? 0) +
      count;
    return true;
  }

  release(worker: number, count: number): void {
    Atomics.sub(this.#all, ALL.descriptors, count);
    this.#own[worker * OWN.count + OWN.reserved] = (this.#own[worker * OWN.count + OWN.reserved] ?? 0) -
      count;
  }

  /** Sets a descriptor aside for a UDP session: anybody can make one with one datagram, so they have a part only. */
  tryReserveSession(worker: number): boolean {
    const most = (this.#all[ALL.room] ?? 0) * LIMITS.udpDescriptorsPerMille / 1_000;
    if (Atomics.add(this.#all, ALL.sessions, 1) + 1 > most || !this.tryReserve(worker, 1)) {
      Atomics.sub(this.#all, ALL.sessions, 1);
      return false;
    }
    this.#own[worker * OWN.count + OWN.sessions] = (this.#own[worker * OWN.count + OWN.sessions] ?? 0) + 1;
    return true;
  }

  releaseSession(worker: number): void {
    Atomics.sub(this.#all, ALL.sessions, 1);
    this.#own[worker * OWN.count + OWN.sessions] = (this.#own[worker * OWN.count + OWN.sessions] ?? 0) - 1;
    this.release(worker, 1);
  }

  opened(worker: number, descriptor: number): void {
    this.#owners[descriptor] = worker;
  }

  closed(descriptor: number): void {
    this.#owners[descriptor] = 0;
  }

  /** A worker has died: takes back what it had counted. Returns its descriptors, to be closed by the caller. */
  bury(worker: number): { descriptors: number[]; connections: number } {
    const descriptors: number[] = [];
    this.#owners.forEach((owner, descriptor) => {
      if (owner !== worker) return;
      descriptors.push(descriptor);
      this.closed(descriptor);
    });
    let connections = 0;
    const own = this.#own.subarray(worker * OWN.count, (worker + 1) * OWN.count);
    for (let slot = 0; slot < BINDING_SLOTS; slot++) {
      const live = own[OWN.live + slot] ?? 0;
      connections += live;
      Atomics.sub(this.#running, slot, live - (own[OWN.held + slot] ?? 0));
    }
    Atomics.sub(this.#all, ALL.descriptors, own[OWN.reserved] ?? 0);
    Atomics.sub(this.#all, ALL.sessions, own[OWN.sessions] ?? 0);
    // All but the bell: others may ring it meanwhile, and descriptor 0 is somebody else's.
    own.fill(0, 0, OWN.bell);
    own.fill(0, OWN.bell + 1);
    return { descriptors, connections };
  }
}
