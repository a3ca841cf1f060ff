/**
 * One run of a check under its time-out.
 *
 * @module
 */
import type { Clock, Timer } from "../clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { type Check, CheckError, type CheckResult, type Dialer } from "./check.ts";

/** What a run needs to know. */
export interface CheckRunOptions {
  readonly check: Check;
  readonly target: Endpoint;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly dialer: Dialer;
}

/**
 * A running check. Its result is told once, at the time-out at the latest: a check that does not heed its signal is
 * answered for. `ended` says when it has really let go, which for a killed command may be later.
 */
export class CheckRun {
  /** Resolves when the check has let go of its sockets and processes; never rejects. */
  readonly ended: Promise<void>;
  readonly #options: CheckRunOptions;
  readonly #abort = new AbortController();
  #told: ((result: CheckResult) => void) | undefined;
  #timer: Timer;
  #over = false;

  /** Starts the check; `told` gets the result, unless the run is abandoned first. */
  constructor(options: CheckRunOptions, told: (result: CheckResult) => void) {
    this.#options = options;
    this.#told = told;
    this.#timer = options.clock.after(options.timeoutMs, () => this.#timeOut());
    this.ended = this.#run();
  }

  /** Whether the check has let go of everything. */
  get over(): boolean {
    return this.#over;
  }

  /** Stops the check. Answers whether it cut a result short: then nobody is told anything any more. */
  abandon(): boolean {
    const cut = this.#told !== undefined;
    this.#told = undefined;
    this.#timer.cancel();
    this.#abort.abort();
    return cut;
  }

  async #run(): Promise<void> {
    const { check, target, dialer } = this.#options;
    let result: CheckResult;
    try {
      result = await check.run(target, dialer, this.#abort.signal);
    } catch (error) {
      result = failureOf(error);
    }
    this.#over = true;
    this.#tell(result);
  }

  #timeOut(): void {
    this.#abort.abort();
    // A well-behaved check ends now by itself and says where it stood ("connected, no answer"): it goes first.
    this.#timer = this.#options.clock.after(0, () => {
      const detail = `no result within ${this.#options.timeoutMs} ms`;
      this.#tell({ up: false, reason: "timeout", detail });
    });
  }

  #tell(result: CheckResult): void {
    this.#timer.cancel();
    const told = this.#told;
    this.#told = undefined;
    told?.(result);
  }
}

function failureOf(error: unknown): CheckResult {
  if (error instanceof CheckError) return { up: false, reason: error.reason, detail: error.message };
  return { up: false, reason: "defect", detail: `the check itself broke: ${error}` };
}
