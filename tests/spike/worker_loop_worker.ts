/** A worker as the native engine's will be: one blocking loop that never awaits. See worker_loop.ts for the other side. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { EPOLL, Epoll } from "../../sys/epoll.ts";
import { EventFd } from "../../sys/event_fd.ts";
import { Libc } from "../../sys/libc.ts";
import { type Answer, type Command, type Start, WORD } from "./worker_loop_words.ts";

function loop({ id, descriptor, port, words }: Start): void {
  using libc = Libc.open();
  using bell = EventFd.from(libc, descriptor);
  using epoll = new Epoll(libc, 16);
  epoll.add(bell.descriptor, EPOLL.in, id);
  let turns = 0;
  let eventsFired = 0;
  const count = () => eventsFired++;
  parentPort?.on("message", count);
  const answer = (kind: Answer["kind"]) => {
    const generation = Atomics.load(words, WORD.generation);
    port.postMessage({ id, kind, turns, eventsFired, generation } satisfies Answer);
  };
  answer("ready");
  while (Atomics.load(words, WORD.stop) === 0) {
    epoll.wait(-1);
    turns++;
    bell.drain();
    for (let mail = receiveMessageOnPort(port); mail !== undefined; mail = receiveMessageOnPort(port)) {
      obey(mail.message, id, words);
      answer("done");
    }
  }
  answer("stopped");
  // With its last listener gone the thread has nothing to wait for and ends.
  parentPort?.off("message", count);
}

function obey(command: Command, id: number, words: Int32Array): void {
  for (let i = 0; i < command.increments; i++) {
    while (Atomics.compareExchange(words, WORD.lock, 0, id) !== 0);
    // A plain read and write on purpose: the sum is right only if the lock word keeps the other worker out.
    words[WORD.plainSum] = (words[WORD.plainSum] ?? 0) + 1;
    if (command.dieInside) throw new Error("died under the lock");
    Atomics.store(words, WORD.lock, 0);
  }
}

loop(workerData);
