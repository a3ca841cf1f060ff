/**
 * Pipes through which the kernel moves bulk from socket to socket without copying it to us.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { addressOf } from "../../sys/libc.ts";
import { SET_PIPE_SIZE, SOCKET } from "../../sys/socket_numbers.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { EngineMemory } from "./engine_memory.ts";

const ENDS = 2;

/** An empty pipe, or one with bytes on their way. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
  /** Bytes inside. */
  bytes: number;
}

/** A stream holds a pipe only while bytes are in it. */
export class Pipes {
  readonly #sockets: Sockets;
  readonly #memory: EngineMemory;
  readonly #worker: number;
  readonly #free: Pipe[] = [];
  readonly #ends = new Int32Array(ENDS);
  readonly #endsAddress = addressOf(this.#ends);

  constructor(sockets: Sockets, memory: EngineMemory, worker: number) {
    this.#sockets = sockets;
    this.#memory = memory;
    this.#worker = worker;
  }

  /** An empty pipe; undefined when no descriptors are left for one. */
  take(): Pipe | undefined {
    return this.#free.pop() ?? this.#open();
  }

  #open(): Pipe | undefined {
    if (!this.#memory.tryReserve(this.#worker, ENDS)) return undefined;
    const { libc } = this.#sockets;
    if (libc.pipe(this.#endsAddress, SOCKET.nonBlocking | SOCKET.closeOnExec) < 0) {
      this.#memory.release(this.#worker, ENDS);
      return undefined;
    }
    const [readEnd = -1, writeEnd = -1] = this.#ends;
    // A refusal (fs.pipe-user-pages-soft) leaves 64 KiB, which work too.
    libc.fcntl(writeEnd, SET_PIPE_SIZE, LIMITS.pipeBytes);
    this.#memory.opened(this.#worker, readEnd);
    this.#memory.opened(this.#worker, writeEnd);
    return { readEnd, writeEnd, bytes: 0 };
  }

  /** Done with it. One with bytes inside, of a connection that broke, is closed. */
  give(pipe: Pipe): void {
    if (pipe.bytes === 0 && this.#free.length < LIMITS.sparePipes) this.#free.push(pipe);
    else this.#close(pipe);
  }

  #close({ readEnd, writeEnd }: Pipe): void {
    for (const end of [readEnd, writeEnd]) {
      this.#memory.closed(end);
      this.#sockets.close(end);
    }
    this.#memory.release(this.#worker, ENDS);
  }

  closeAll(): void {
    for (const pipe of this.#free.splice(0)) this.#close(pipe);
  }
}
