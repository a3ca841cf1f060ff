/**
 * The connection table of one thread: entries found by who talks to whom.
 *
 * @module
 */
import { Flow } from "../net/flow.ts";
import { Chains, foldAddress, mixHash } from "./chains.ts";
import { ENTRY, ENTRY_TIME, ENTRY_TIMES, ENTRY_WORDS } from "./entry_layout.ts";
import { DESTINATION, DESTINATION_WORDS, ENTRY_FLAG, hashChains, METHOD } from "./layout.ts";
import { slotMask, SlotPool } from "./slots.ts";
import type { Store } from "./store.ts";
import { TimerWheel, WHEEL_BUCKETS } from "./timer_wheel.ts";

/** Words of the table's own state; the pool takes two. The wheel's tick is the float at `tick`. */
const STATE = {
  pool: 0,
  firstEnded: 2,
  lastEnded: 3,
  count: 4,
  capacity: 5,
  seed: 6,
  endedCount: 7,
  tick: 4,
} as const;
const STATE_WORDS = 16;

/**
 * A chained hash table of fixed capacity, in one buffer. As in the kernel the hash covers the client's side only, so
 * that an answer, which knows the client but not the virtual address, is found in the same chain. Newest first.
 */
export class ConnectionTable {
  readonly buffer: ArrayBufferLike;
  readonly words: Int32Array;
  readonly times: Float64Array;
  readonly wheel: TimerWheel;
  readonly capacity: number;
  readonly #store: Store;
  readonly #chains: Chains;
  readonly #state: Int32Array;
  readonly #pool: SlotPool;
  readonly #mask: number;
  readonly #seed: number;
  readonly #destinationMask: number;

  private constructor(store: Store, buffer: ArrayBufferLike) {
    this.#store = store;
    this.buffer = buffer;
    this.#state = new Int32Array(buffer, 0, STATE_WORDS);
    this.capacity = this.#state[STATE.capacity] ?? 0;
    this.#seed = this.#state[STATE.seed] ?? 0;
    const at = sections(this.capacity);
    this.words = new Int32Array(buffer, at.entries, (this.capacity + 1) * ENTRY_WORDS);
    this.times = new Float64Array(buffer, at.entries, (this.capacity + 1) * ENTRY_TIMES);
    const heads = new Int32Array(buffer, at.chains, hashChains(this.capacity));
    this.#chains = new Chains(heads, this.words, ENTRY_WORDS, ENTRY.hashLink);
    this.#destinationMask = slotMask(store.capacities.destinations);
    this.#mask = slotMask(this.capacity);
    const { words, times, capacity } = this;
    const stride = ENTRY_WORDS;
    this.#pool = new SlotPool(this.#state, STATE.pool, {
      words,
      stride,
      capacity,
      handle: ENTRY.handle,
      link: ENTRY.slotLink,
    });
    const rows = {
      words,
      stride,
      next: ENTRY.wheelNext,
      previous: ENTRY.wheelPrevious,
      bucket: ENTRY.wheelBucket,
      times,
      timeStride: ENTRY_TIMES,
      expiresMs: ENTRY_TIME.expiresMs,
    };
    const buckets = new Int32Array(buffer, at.wheel, WHEEL_BUCKETS);
    this.wheel = new TimerWheel(buckets, rows, new Float64Array(buffer, 0, STATE_WORDS / 2), STATE.tick);
  }

  /**
   * An empty table; in shared memory if the store is, so that another thread can list it, or clean up after a dead one.
   *
   * @param seed secret of the hash, so that a stranger cannot fill one chain
   */
  static create(store: Store, capacity: number, seed: number): ConnectionTable {
    const bytes = sections(capacity).end;
    const buffer = store.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    const state = new Int32Array(buffer, 0, STATE_WORDS);
    state[STATE.capacity] = capacity;
    state[STATE.seed] = seed;
    return new ConnectionTable(store, buffer);
  }

  /** The table that another thread made. Only one thread at a time may change it. */
  static attach(store: Store, buffer: ArrayBufferLike): ConnectionTable {
    return new ConnectionTable(store, buffer);
  }

  /** Entries in use. */
  get count(): number {
    return this.#state[STATE.count] ?? 0;
  }

  /** Row of a handle, 0 when its entry is gone. */
  slotOf(handle: number): number {
    const row = handle & this.#mask;
    return handle > 0 && this.words[row * ENTRY_WORDS + ENTRY.handle] === handle ? row : 0;
  }

  /** Row of a handle when it still belongs to the flow, else 0. */
  verified(handle: number, flow: Flow, output: boolean): number {
    const row = this.slotOf(handle);
    const base = row * ENTRY_WORDS;
    if (row === 0 || this.words[base + ENTRY.hashed] !== 1) return 0;
    return this.#matches(base, flow, output) ? row : 0;
  }

  /** Row of the flow's entry, 0 for none. */
  find(flow: Flow, output: boolean): number {
    let row = this.#chains.first(this.#hash(flow));
    while (row !== 0 && !this.#matches(row * ENTRY_WORDS, flow, output)) row = this.#chains.next(row);
    return row;
  }

  /** A fresh entry for the flow, in the hash table; 0 when all rows are taken. */
  add(flow: Flow): number {
    const row = this.#pool.take();
    if (row === 0) return 0;
    const base = row * ENTRY_WORDS;
    const words = this.words;
    words[base + ENTRY.kind] = flow.protocol | (flow.family << 8);
    words[base + ENTRY.ports] = (flow.clientPort << 16) | flow.virtualPort;
    for (let i = 0; i < 4; i++) {
      words[base + ENTRY.client + i] = flow.client[i] ?? 0;
      words[base + ENTRY.virtual + i] = flow.virtual[i] ?? 0;
    }
    words[base + ENTRY.state] = 0;
    words[base + ENTRY.template] = 0;
    words[base + ENTRY.inPackets] = 0;
    this.#chains.push(row, this.#hash(flow));
    words[base + ENTRY.hashed] = 1;
    this.#state[STATE.count] = this.count + 1;
    return row;
  }

  /**
   * The flow's entry in a table that another thread goes on changing: looks at each row, since a chain may lead astray meanwhile.
   *
   * @returns its row, 0 for none
   */
  search(flow: Flow, output: boolean): number {
    for (const row of this.rows()) {
      const base = row * ENTRY_WORDS;
      if (this.words[base + ENTRY.hashed] === 1 && this.#matches(base, flow, output)) return row;
    }
    return 0;
  }

  /** Takes in a copy of another table's entry with its timer. It is counted already. @returns its row, 0 when there is no room */
  adopt(other: ConnectionTable, row: number, nowMs: number): number {
    const from = row * ENTRY_WORDS;
    const own = this.add(flowAt(other.words, from));
    if (own === 0) return 0;
    for (const word of ADOPTED) this.words[own * ENTRY_WORDS + word] = other.words[from + word] ?? 0;
    const time = (index: number) => other.times[row * ENTRY_TIMES + index] ?? 0;
    this.times[own * ENTRY_TIMES + ENTRY_TIME.timeoutMs] = time(ENTRY_TIME.timeoutMs);
    this.wheel.set(own, time(ENTRY_TIME.expiresMs), nowMs);
    return own;
  }

  /** Nobody finds the entry any more; its row stays in use until {@linkcode release}. */
  hide(row: number): void {
    const base = row * ENTRY_WORDS;
    if (this.words[base + ENTRY.hashed] === 0) return;
    this.words[base + ENTRY.hashed] = 0;
    this.#chains.remove(row, this.#hashOf(base));
  }

  /** Frees a row: out of the hash table, the wheel and the list of ended ones. */
  release(row: number): void {
    this.hide(row);
    this.wheel.stop(row);
    this.setEnded(row, false);
    this.#pool.give(row);
    this.#state[STATE.count] = this.count - 1;
  }

  /** Notes that an entry ended (TIME_WAIT, CLOSE), or lives again. */
  setEnded(row: number, ended: boolean): void {
    const words = this.words;
    const base = row * ENTRY_WORDS;
    if ((words[base + ENTRY.ended] === 1) === ended) return;
    words[base + ENTRY.ended] = ended ? 1 : 0;
    this.#state[STATE.endedCount] = (this.#state[STATE.endedCount] ?? 0) + (ended ? 1 : -1);
    if (ended) {
      const last = this.#state[STATE.lastEnded] ?? 0;
      words[base + ENTRY.endedPrevious] = last;
      words[base + ENTRY.endedNext] = 0;
      if (last === 0) this.#state[STATE.firstEnded] = row;
      else words[last * ENTRY_WORDS + ENTRY.endedNext] = row;
      this.#state[STATE.lastEnded] = row;
      return;
    }
    const after = words[base + ENTRY.endedNext] ?? 0;
    const before = words[base + ENTRY.endedPrevious] ?? 0;
    if (before === 0) this.#state[STATE.firstEnded] = after;
    else words[before * ENTRY_WORDS + ENTRY.endedNext] = after;
    if (after === 0) this.#state[STATE.lastEnded] = before;
    else words[after * ENTRY_WORDS + ENTRY.endedPrevious] = before;
  }

  /** The entry that ended first, 0 when all are alive. */
  get oldestEnded(): number {
    return this.#state[STATE.firstEnded] ?? 0;
  }

  get chainCount(): number {
    return this.#chains.count;
  }

  /** Rows of one chain of the hash table; the one at hand may be removed. */
  rowsOfChain(chain: number): Generator<number> {
    return this.#chains.rows(chain);
  }

  /** Rows that a new connection may still have: free ones, and those of connections that have ended. */
  get available(): number {
    return this.capacity - this.count + (this.#state[STATE.endedCount] ?? 0);
  }

  /** Rows in use. Rows may be released while this runs. */
  *rows(): Generator<number> {
    for (let row = 1; row <= this.#pool.used; row++) {
      if ((this.words[row * ENTRY_WORDS + ENTRY.handle] ?? 0) > 0) yield row;
    }
  }

  /**
   * An answer of a NAT destination may carry the destination's own address in the place of the virtual one: that is
   * how a packet engine meets it.
   */
  #matches(base: number, flow: Flow, output: boolean): boolean {
    const words = this.words;
    const { client, virtual } = flow;
    if (
      words[base + ENTRY.kind] !== (flow.protocol | (flow.family << 8)) ||
      words[base + ENTRY.client] !== ((client[0] ?? 0) | 0)
    ) return false;
    if (
      flow.family === 6 && (words[base + ENTRY.client + 1] !== ((client[1] ?? 0) | 0) ||
        words[base + ENTRY.client + 2] !== ((client[2] ?? 0) | 0) ||
        words[base + ENTRY.client + 3] !== ((client[3] ?? 0) | 0))
    ) return false;
    if (
      words[base + ENTRY.ports] === ((flow.clientPort << 16) | flow.virtualPort) &&
      sameAddress(words, base + ENTRY.virtual, virtual)
    ) return true;
    return output && this.#answersFor(base, flow);
  }

  #answersFor(base: number, flow: Flow): boolean {
    const words = this.words;
    if (((words[base + ENTRY.flags] ?? 0) & ENTRY_FLAG.methodMask) !== METHOD.nat) return false;
    if ((words[base + ENTRY.ports] ?? 0) >>> 16 !== flow.clientPort) return false;
    if (words[base + ENTRY.destinationPort] !== flow.virtualPort) return false;
    const destination = ((words[base + ENTRY.destination] ?? 0) & this.#destinationMask) * DESTINATION_WORDS;
    return sameAddress(this.#store.destinations, destination + DESTINATION.address, flow.virtual);
  }

  #hash(flow: Flow): number {
    const { client } = flow;
    const folded = foldAddress(client[0] ?? 0, client[1] ?? 0, client[2] ?? 0, client[3] ?? 0);
    return mixHash(this.#seed, folded, flow.clientPort, flow.protocol);
  }

  #hashOf(base: number): number {
    const words = this.words;
    const at = base + ENTRY.client;
    const folded = foldAddress(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0);
    return mixHash(
      this.#seed,
      folded,
      (words[base + ENTRY.ports] ?? 0) >>> 16,
      (words[base + ENTRY.kind] ?? 0) & 0xff,
    );
  }
}

/** What an entry is, apart from whose it is and where its table keeps it. */
const ADOPTED = [
  ENTRY.destination,
  ENTRY.destinationPort,
  ENTRY.state,
  ENTRY.flags,
  ENTRY.template,
  ENTRY.inPackets,
] as const;

/** The flow that an entry belongs to. */
function flowAt(words: Int32Array, base: number): Flow {
  const flow = new Flow();
  const kind = words[base + ENTRY.kind] ?? 0;
  const ports = words[base + ENTRY.ports] ?? 0;
  flow.protocol = kind & 0xff;
  flow.family = kind >>> 8 === 6 ? 6 : 4;
  flow.clientPort = ports >>> 16;
  flow.virtualPort = ports & 0xffff;
  flow.client.set(words.subarray(base + ENTRY.client, base + ENTRY.client + 4));
  flow.virtual.set(words.subarray(base + ENTRY.virtual, base + ENTRY.virtual + 4));
  return flow;
}

/** Byte offsets of the parts of a table. */
function sections(capacity: number): { chains: number; wheel: number; entries: number; end: number } {
  const chains = STATE_WORDS * 4;
  const wheel = chains + hashChains(capacity) * 4;
  const rowBytes = ENTRY_WORDS * 4;
  const entries = Math.ceil((wheel + WHEEL_BUCKETS * 4) / rowBytes) * rowBytes;
  return { chains, wheel, entries, end: entries + (capacity + 1) * rowBytes };
}

function sameAddress(words: Int32Array, index: number, address: Uint32Array): boolean {
  return words[index] === ((address[0] ?? 0) | 0) && words[index + 1] === ((address[1] ?? 0) | 0) &&
    words[index + 2] === ((address[2] ?? 0) | 0) && words[index + 3] === ((address[3] ?? 0) | 0);
}
