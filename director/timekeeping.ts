/**
 * What time does by itself: entries and templates end, the trash is emptied.
 *
 * @module
 */
import type { ConnectionTable } from "./connections.ts";
import type { Defence } from "./defence.ts";
import type { Entries } from "./entries.ts";
import type { Estimator } from "./estimator.ts";
import { HEADER } from "./layout.ts";
import type { Locks } from "./locks.ts";
import type { Store } from "./store.ts";
import type { TemplateTable } from "./templates.ts";
import { WHEEL_BUCKETS, WHEEL_TICK_MS } from "./timer_wheel.ts";
import type { Trash } from "./trash.ts";

export interface TimekeepingParts {
  readonly store: Store;
  readonly table: ConnectionTable;
  readonly templates: TemplateTable;
  readonly entries: Entries;
  readonly locks: Locks;
  readonly defence: Defence;
  /** What the control plane's thread alone does. */
  readonly slow: { readonly trash: Trash; readonly estimator: Estimator } | undefined;
}

/** Moves one thread's time forward. */
export class Timekeeping {
  /** Latest time seen. */
  lastMs = 0;
  readonly #parts: TimekeepingParts;
  #swept = 0;

  constructor(parts: TimekeepingParts) {
    this.#parts = parts;
    this.#swept = Atomics.load(parts.store.header, HEADER.sweep);
  }

  advance(nowMs: number): void {
    const { store, table, templates, entries, slow, defence } = this.#parts;
    this.lastMs = nowMs;
    const sweep = Atomics.load(store.header, HEADER.sweep);
    if (sweep !== this.#swept) {
      this.#swept = sweep;
      entries.sweepDeleted();
    }
    const last = Math.floor(nowMs / WHEEL_TICK_MS);
    const entryTick = table.wheel.tickAt(nowMs);
    const templateTick = templates.tickAt(nowMs);
    // After a long pause one turn of the wheel sees every bucket.
    const from = Math.max(Math.min(entryTick, templateTick), last - WHEEL_BUCKETS + 1);
    for (let tick = from; tick <= last; tick++) {
      const tickMs = tick < last ? (tick + 1) * WHEEL_TICK_MS : nowMs;
      // Templates first: one that is due with its last connection is prolonged, as with the kernel's separate timers.
      if (tick >= templateTick) this.#stepTemplates(tick, tickMs);
      if (tick >= entryTick) entries.step(tick, tickMs);
    }
    defence.advance(nowMs);
    slow?.trash.scan(nowMs);
    slow?.estimator.advance(nowMs);
  }

  /** Whoever comes first does it; a thread that finds the lock taken leaves it to the next call. */
  #stepTemplates(tick: number, nowMs: number): void {
    const { store, templates, locks } = this.#parts;
    if (!locks.tryLock(store.header, HEADER.templateLock)) return;
    try {
      if (tick >= templates.tickAt(nowMs)) templates.step(tick, nowMs);
    } finally {
      locks.unlock(store.header, HEADER.templateLock);
    }
  }
}
