/**
 * The monitor: a table that says which destinations are up or down, and why. What is done about it is not its business.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import type { Random } from "../net/random.ts";
import type { Dialer } from "./check.ts";
import { CheckSlots } from "./check_slots.ts";
import type { HealthChange, HealthSnapshot } from "./destination_health.ts";
import { type Watch, WatchedDestination, type WatchSurroundings } from "./watched_destination.ts";

export type { HealthChange, HealthReason, HealthSnapshot } from "./destination_health.ts";
export type { Watch } from "./watched_destination.ts";

/** What a monitor is made of. */
export interface MonitorOptions<Id> {
  readonly clock: Clock;
  /** Source of the jitter. */
  readonly random: Random;
  readonly dialer: Dialer;
  /** Told of each change between up and down, after it took place; never from within {@linkcode Monitor.add}. */
  readonly onChange: (id: Id, change: HealthChange) => void;
}

/**
 * Watches destinations. An `Id` is whatever the caller knows a destination by; reports about an unknown one are ignored,
 * since they may arrive after its removal.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ManualClock } from "../clock.ts";
 * import { parseEndpoint, isNamed } from "../net/endpoint.ts";
 * import { SeededRandom } from "../net/random.ts";
 * import { SystemDialer } from "./dialer.ts";
 *
 * const clock = new ManualClock();
 * const target = parseEndpoint("127.0.0.1:3001");
 * assert.ok(!isNamed(target));
 * const monitor = new Monitor<string>({
 *   clock,
 *   random: new SeededRandom(1),
 *   dialer: new SystemDialer(clock),
 *   onChange: (id, change) => assert.equal(`${id} ${change.to}: ${change.reason}`, "a down: connect-failed"),
 * });
 * monitor.add("a", { target, group: "web", passive: { failures: 3, ejectMs: 30_000, maxEjectedPercent: 100 } });
 * for (let i = 0; i < 3; i++) monitor.reportConnectFailed("a");
 * assert.equal(monitor.snapshot("a")?.up, false);
 * await monitor.stop();
 * ```
 */
export class Monitor<Id extends string | number> {
  readonly #clock: Clock;
  readonly #onChange: (id: Id, change: HealthChange) => void;
  readonly #around: WatchSurroundings;
  readonly #watched = new Map<Id, WatchedDestination>();
  readonly #groups = new Map<string, Set<WatchedDestination>>();
  readonly #leaving = new Set<Promise<void>>();
  #nextStartMs = -Infinity;

  constructor({ clock, random, dialer, onChange }: MonitorOptions<Id>) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#around = {
      clock,
      random,
      dialer,
      slots: new CheckSlots(LIMITS.healthChecksAtOnce),
      startDelayMs: (intervalMs) => this.#startDelayMs(intervalMs),
      mayEject: (watched) => this.#mayEject(watched),
    };
  }

  /**
   * Begins to watch a destination. Its state is the initial one until a result says otherwise.
   *
   * @throws {RangeError} when `id` is watched already
   */
  add(id: Id, watch: Watch): void {
    if (this.#watched.has(id)) {
      throw new RangeError(`destination ${id} is watched already; update it instead`);
    }
    const watched = new WatchedDestination(this.#around, watch, (change) => this.#onChange(id, change));
    this.#watched.set(id, watched);
    this.#enterGroup(watched);
  }

  /**
   * Changes how a destination is watched. With the same target its health and history stay, and a check that is running
   * is heard; another target starts from the initial state and keeps the history.
   *
   * @throws {RangeError} when `id` is not watched
   */
  update(id: Id, watch: Watch): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) throw new RangeError(`destination ${id} is not watched; add it first`);
    this.#leaveGroup(watched);
    watched.update(watch);
    this.#enterGroup(watched);
  }

  /** Ends a watch. Resolves when a running check has let go of its sockets and processes. */
  async remove(id: Id): Promise<void> {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    this.#watched.delete(id);
    this.#leaveGroup(watched);
    const stopped = watched.stop();
    this.#leaving.add(stopped);
    await stopped;
    this.#leaving.delete(stopped);
  }

  /** Forgets all evidence about a destination: back to the initial state, checked at once, an ejection lifted. */
  reset(id: Id): void {
    this.#watched.get(id)?.reset();
  }

  /** A live connection to the destination could not be opened; `detail` says how, for people. */
  reportConnectFailed(id: Id, detail = ""): void {
    this.#watched.get(id)?.connectFailed(detail);
  }

  reportConnectSucceeded(id: Id): void {
    this.#watched.get(id)?.connectSucceeded();
  }

  /** What is known about a destination; undefined when it is not watched. */
  snapshot(id: Id): HealthSnapshot | undefined {
    return this.#watched.get(id)?.health.snapshot();
  }

  /** Ends all watches; resolves when nothing is left running, removed ones included. */
  async stop(): Promise<void> {
    for (const id of [...this.#watched.keys()]) void this.remove(id);
    await Promise.all(this.#leaving);
  }

  // A thousand first checks do not leave in one burst, and none waits longer than its interval.
  #startDelayMs(intervalMs: number): number {
    const nowMs = this.#clock.nowMs();
    const startMs = Math.max(nowMs, this.#nextStartMs);
    this.#nextStartMs = startMs + LIMITS.healthStartSpacingMs;
    return (startMs - nowMs) % intervalMs;
  }

  #mayEject(watched: WatchedDestination): boolean {
    const { group, passive } = watched.watch;
    const members = [...this.#groups.get(group) ?? []];
    const down = members.filter((member) => member !== watched && member.downByTraffic).length;
    return (down + 1) * 100 <= members.length * (passive?.maxEjectedPercent ?? 0);
  }

  #enterGroup(watched: WatchedDestination): void {
    const { group } = watched.watch;
    const members = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, members.add(watched));
  }

  #leaveGroup(watched: WatchedDestination): void {
    const { group } = watched.watch;
    const members = this.#groups.get(group);
    if (members?.delete(watched) && members.size === 0) this.#groups.delete(group);
  }
}
