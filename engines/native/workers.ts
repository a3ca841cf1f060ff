/**
 * The workers of an engine: all are told the same, and one that died is started again.
 *
 * @module
 */
import type { Clock, Timer } from "../../clock.ts";
import { LIMITS } from "../../limits.ts";
import type { Random } from "../../net/random.ts";
import { EventFd } from "../../sys/event_fd.ts";
import type { Libc } from "../../sys/libc.ts";
import type { EngineMemory } from "./engine_memory.ts";
import type { Command } from "./messages.ts";
import type { ThreadStock } from "./thread_stock.ts";
import { type CommonStart, type WorkerListener, WorkerThread } from "./worker_thread.ts";

/** What workers are made from. */
export interface WorkersParts {
  readonly libc: Libc;
  readonly memory: EngineMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly listener: WorkerListener;
  readonly threads: ThreadStock;
  readonly common: CommonStart;
  /** What a fresh worker is told first. */
  readonly welcome: () => readonly Command[];
}

/** Numbers 1 to N. */
export class Workers {
  readonly #parts: WorkersParts;
  #threads: WorkerThread[] = [];
  /**
   * By number, from 1. They stay while any worker lives: workers ring each other, and the number of a closed bell may be
   * somebody's socket by then.
   */
  readonly #bells: EventFd[] = [];
  readonly #restarts = new Set<Timer>();
  #isStopped = false;

  constructor(parts: WorkersParts) {
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#threads.length > 0;
  }

  /** Starts all; resolves when they run. */
  async start(): Promise<void> {
    const numbers = Array.from({ length: this.#parts.memory.workers }, (_, i) => i + 1);
    const { libc, memory } = this.#parts;
    for (const number of numbers) {
      const bell = EventFd.create(libc);
      this.#bells.push(bell);
      memory.setBell(number, bell.descriptor);
    }
    this.#threads = this.#bells.map((bell, i) => this.#startOne(i + 1, bell));
    await Promise.all(this.#threads.map((it) => it.ready));
  }

  #startOne(number: number, bell: EventFd): WorkerThread {
    const { memory, random, common, listener, threads, welcome, clock } = this.#parts;
    const startMs = clock.nowMs();
    const place = { number, bell, seed: random.below(2 ** 32), thread: threads.take() };
    const thread = new WorkerThread(place, memory, common, {
      reported: (worker, report) => listener.reported(worker, report),
      happened: (record, ended) => listener.happened(record, ended),
      lost: (worker, events) => listener.lost(worker, events),
      died: (worker, cause) => {
        listener.died(worker, cause);
        this.#startAgain(number, bell, startMs);
      },
    });
    for (const command of welcome()) thread.tell(command);
    return thread;
  }

  /** At once, unless it died young: then what killed it is likely to kill the next one too. */
  #startAgain(number: number, bell: EventFd, startMs: number): void {
    if (this.#isStopped) return;
    const { clock } = this.#parts;
    const livedMs = clock.nowMs() - startMs;
    const timer = clock.after(livedMs < LIMITS.workerRestartMs ? LIMITS.workerRestartMs : 0, () => {
      this.#restarts.delete(timer);
      this.#threads[number - 1] = this.#startOne(number, bell);
    });
    this.#restarts.add(timer);
  }

  tell(command: Command): void {
    for (const it of this.#threads) it.tell(command);
  }

  fail(number: number): void {
    this.#threads[number - 1]?.tell({ kind: "fail" });
  }

  ring(): void {
    for (const it of this.#threads) it.ring();
  }

  /** Resolves when all that live have obeyed. */
  async ask(command: (request: number) => Command): Promise<void> {
    await Promise.all(this.#threads.map((it) => it.ask(command)));
  }

  drainEvents(): void {
    for (const it of this.#threads) if (!it.isOver) it.drainEvents();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#restarts) timer.cancel();
    await Promise.all(this.#threads.map((it) => it.isOver ? undefined : it.stop()));
    for (const bell of this.#bells.splice(0)) bell[Symbol.dispose]();
  }
}
