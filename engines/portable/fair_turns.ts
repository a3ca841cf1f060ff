/**
 * Reads step back at times, for accepts and connects to have their turn.
 *
 * The runtime lets at most 128 things happen in one turn of its loop (tokio's budget). Reads go on beyond that, and what was ready
 * in the system comes before what waits for a budget. So while 128 sockets have something to read in each turn, no client is
 * accepted and no connect comes to its end: of 1,000 clients at once 400 waited for more than two seconds (Deno 2.9.6).
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";

/** So few sockets that read in a turn leave the others half of the budget. */
const FEW_READERS = 64;
/** While so many others get through in a turn, a break goes on: a burst is let in as a whole. */
const MANY_OTHERS = 32;
/** A break in which fewer others get through was not needed. */
const SOME_OTHERS = 8;
/** A break that brings no quiet turn within so many is given up. */
const TURNS_MOST = 32;

/** A socket that may be stopped between two reads. */
export interface Reader {
  readStart(): void;
}

/** Shared by all sockets. A read costs a count; where many read, all of them stop now and then until a turn was quiet. */
export class FairTurns {
  readonly #afterTurn: (callback: () => void) => void;
  readonly #stopped: Reader[] = [];
  /** Of this turn in a break, else since the last one. One that reads several times in a row counts once. */
  #readers = 0;
  /** Accepts and connects, of this turn and of this break. */
  #others = 0;
  #othersInBreak = 0;
  /** Readers until the next break: few after one that others had waited for, else twice as many as before. */
  #until: number = LIMITS.readersUntilBreak;
  #last: Reader | undefined;
  #isBreak = false;
  #turns = 0;

  /**
   * @param afterTurn calls back when the runtime has gone through all that was ready, and has looked for more: by a timer. It
   * must not keep the runtime from going to sleep, as `setImmediate` does: asleep it looks, and gives out budgets anew
   */
  constructor(afterTurn: (callback: () => void) => void) {
    this.#afterTurn = afterTurn;
  }

  /** A socket has read, and would go on. @returns whether it has to stop; it is started again soon */
  hasToStop(reader: Reader): boolean {
    if (this.#isBreak) {
      this.#readers++;
      this.#stopped.push(reader);
      return true;
    }
    if (reader === this.#last) return false;
    this.#last = reader;
    if (++this.#readers === this.#until) this.#afterTurn(this.#begin);
    return false;
  }

  /** A client was accepted, or a connect answered. */
  otherDone(): void {
    this.#others++;
  }

  /** Unless this turn had few readers: then nobody is kept out. */
  readonly #begin = (): void => {
    const inTurn = this.#readers - this.#until;
    this.#readers = 0;
    this.#last = undefined;
    if (inTurn < FEW_READERS) return;
    this.#isBreak = true;
    this.#turns = 0;
    this.#others = 0;
    this.#othersInBreak = 0;
    this.#afterTurn(this.#look);
  };

  /** Until a turn was quiet: a socket whose answer is still to come has not been stopped yet. */
  readonly #look = (): void => {
    const isQuiet = this.#readers < FEW_READERS && this.#others < MANY_OTHERS;
    this.#readers = 0;
    this.#othersInBreak += this.#others;
    this.#others = 0;
    if (!isQuiet && ++this.#turns < TURNS_MOST) return this.#afterTurn(this.#look);
    this.#isBreak = false;
    const { readersUntilBreak, readersUntilBreakMost } = LIMITS;
    this.#until = this.#othersInBreak >= SOME_OTHERS
      ? readersUntilBreak
      : Math.min(2 * this.#until, readersUntilBreakMost);
    for (const it of this.#stopped.splice(0)) it.readStart();
  };
}
