/**
 * What the director does when memory runs short (`drop_entry`, `drop_packet`, `secure_tcp`). The memory of a director
 * is its connection table, so the kernel's free pages are free entries here, and `amemthresh` counts those.
 *
 * @module
 */
import { HEADER } from "./layout.ts";
import { sysctlIndex } from "./sysctl.ts";

/** `update_defense_level` runs once a second. */
const PERIOD_MS = 1_000;
const AMEMTHRESH = sysctlIndex("amemthresh");
const AM_DROPRATE = sysctlIndex("am_droprate");
const DROP_ENTRY = sysctlIndex("drop_entry");
const DROP_PACKET = sysctlIndex("drop_packet");
const SECURE_TCP = sysctlIndex("secure_tcp");

/** Values of the three switches; the director itself moves between the two automatic ones, as the kernel does. */
export const DEFENCE = { off: 0, automatic: 1, automaticActive: 2, always: 3 } as const;

export interface DefenceParts {
  readonly header: Int32Array;
  /** Bit in the word of short threads. */
  readonly workerIndex: number;
  /** Entries that a new connection may still have; compared with `amemthresh`. */
  readonly available: () => number;
  /** `drop_entry` acts: looks at a part of the table. */
  readonly dropEntries: (nowMs: number) => void;
}

/** One thread's defence. The three switches are shared: they are active while any thread is short. */
export class Defence {
  readonly #parts: DefenceParts;
  readonly #header: Int32Array;
  readonly #bit: number;
  #nextMs = -Infinity;
  /** Every so many packets that could open a connection one is dropped; 0: none. */
  #rate = 0;
  #counter = 0;

  constructor(parts: DefenceParts) {
    this.#parts = parts;
    this.#header = parts.header;
    this.#bit = workerBit(parts.workerIndex);
  }

  /** Looks at the memory once a second. */
  advance(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + PERIOD_MS;
    this.look();
    const mode = this.#header[DROP_ENTRY];
    if (mode === DEFENCE.always || (mode === DEFENCE.automaticActive && this.#rate > 0)) {
      this.#parts.dropEntries(nowMs);
    }
  }

  /** Judges the memory now: after one of the switches was set, and each second. */
  look(): void {
    const threshold = this.#header[AMEMTHRESH] ?? 0;
    const missing = threshold - this.#parts.available();
    const isShort = missing > 0;
    this.#rate = isShort ? Math.max(1, Math.floor(threshold / missing)) : 0;
    if (isShort) Atomics.or(this.#header, HEADER.shortWorkers, this.#bit);
    else Atomics.and(this.#header, HEADER.shortWorkers, ~this.#bit);
    const [from, to] = Atomics.load(this.#header, HEADER.shortWorkers) !== 0
      ? [DEFENCE.automatic, DEFENCE.automaticActive]
      : [DEFENCE.automaticActive, DEFENCE.automatic];
    for (const index of [DROP_ENTRY, DROP_PACKET, SECURE_TCP]) {
      Atomics.compareExchange(this.#header, index, from, to);
    }
    // A fixed rate keeps its count, as in the kernel.
    if (isShort && this.#header[DROP_PACKET] !== DEFENCE.always) this.#counter = this.#rate;
  }

  /** `ip_vs_todrop`: whether this packet, which would open a connection, is the one to drop. */
  dropsPacket(): boolean {
    const mode = this.#header[DROP_PACKET] ?? 0;
    if (mode < DEFENCE.automaticActive) return false;
    const rate = mode === DEFENCE.always ? this.#header[AM_DROPRATE] ?? 0 : this.#rate;
    if (rate === 0 || --this.#counter > 0) return false;
    this.#counter = rate;
    return true;
  }
}

/** A thread's bit in the word of those that are short. */
export function workerBit(workerIndex: number): number {
  return 1 << (workerIndex & 31);
}

/** `todrop_entry`: of quiet connections with few packets one in as many as it has packets. */
export class QuietEntries {
  /** Quiet for a minute: by then a normal connection has got through. */
  static readonly quietMs = 60_000;
  static readonly mostPackets = 8;
  readonly #counters = new Int32Array(QuietEntries.mostPackets + 1);

  /**
   * @param quietMs time since its last packet
   * @param packets packets from the client
   */
  drops(quietMs: number, packets: number): boolean {
    if (quietMs < QuietEntries.quietMs || packets < 1 || packets > QuietEntries.mostPackets) return false;
    const left = (this.#counters[packets] ?? 0) - 1;
    this.#counters[packets] = left > 0 ? left : packets;
    return left <= 0;
  }
}
