/**
 * The control side of the spike: two workers in blocking loops, rung by an eventfd, told by messages, sharing one store.
 * Run as a program (bundled or not) it prints what it saw as one line of JSON.
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { EventFd } from "../../sys/event_fd.ts";
import { Libc } from "../../sys/libc.ts";
import { type Answer, type Command, type Start, WORD } from "./worker_loop_words.ts";

/** One worker with its bell and its mailbox. */
export class LoopWorker implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #bell: EventFd;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #exited: Promise<void>;
  readonly #answers: Answer[] = [];
  #waiting: ((answer: Answer) => void) | undefined;
  /** Resolves with an error that escaped the loop. */
  readonly died: Promise<Error>;

  constructor(libc: Libc, id: number, words: Int32Array<SharedArrayBuffer>) {
    this.#bell = EventFd.create(libc);
    this.#words = words;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#port.on("message", (answer) => this.#receive(answer));
    // Next to this file under the same extension, so the path is right in the sources and in a bundle.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.#worker = new Worker(new URL(`./worker_loop_worker.${extension}`, import.meta.url), {
      workerData: { id, descriptor: this.#bell.descriptor, port: port2, words } satisfies Start,
      transferList: [port2],
    });
    this.died = new Promise((resolve) => this.#worker.once("error", resolve));
    this.#exited = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
  }

  /** Puts a command into the mailbox and rings. */
  tell(command: Command): void {
    this.#port.postMessage(command);
    this.ring();
  }

  /** The same as an event: it never fires, because the loop does not go back to the event loop. */
  tellByEvent(command: Command): void {
    this.#worker.postMessage(command);
    this.ring();
  }

  ring(): void {
    this.#bell.signal();
  }

  answer(): Promise<Answer> {
    const answer = this.#answers.shift();
    if (answer !== undefined) return Promise.resolve(answer);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /**
   * Raises the flag, rings, and keeps the bell until the worker has gone: `terminate` does not reach a blocked worker,
   * and a bell closed before the worker has looked at it never wakes it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#words, WORD.stop, 1);
    this.ring();
    await this.#exited;
    this.#port.close();
    this.#bell[Symbol.dispose]();
  }

  #receive(answer: Answer): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#answers.push(answer);
    else waiting(answer);
  }
}

/** What two workers answered at each step, and the sum that both added to. */
export interface Observed {
  readonly sum: number;
  readonly ready: readonly Answer[];
  readonly done: readonly Answer[];
  readonly stopped: readonly Answer[];
}

/** Two workers add up one plain number under the lock, then stop. The generation is 7 when they are rung. */
export async function runLoop(increments: number): Promise<Observed> {
  using libc = Libc.open();
  const words = new Int32Array(new SharedArrayBuffer(WORD.count * Int32Array.BYTES_PER_ELEMENT));
  await using one = new LoopWorker(libc, 1, words);
  await using two = new LoopWorker(libc, 2, words);
  const workers = [one, two];
  const answers = () => Promise.all(workers.map((worker) => worker.answer()));
  const ready = await answers();
  Atomics.store(words, WORD.generation, 7);
  for (const worker of workers) worker.tell({ increments, dieInside: false });
  const done = await answers();
  for (const worker of workers) worker.tellByEvent({ increments, dieInside: false });
  Atomics.store(words, WORD.stop, 1);
  for (const worker of workers) worker.ring();
  const stopped = await answers();
  return { sum: Atomics.load(words, WORD.plainSum), ready, done, stopped };
}

if (import.meta.main) {
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(await runLoop(1_000)) + "\n"));
}
