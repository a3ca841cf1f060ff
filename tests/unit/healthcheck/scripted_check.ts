/**
 * A check that answers by script, and a way to let time pass with the promises that belong to it.
 *
 * @module
 */
import { ManualClock } from "../../../clock.ts";
import type { Check, CheckResult, Dialer } from "../../../healthcheck/check.ts";
import type { HealthTiming } from "../../../healthcheck/timing.ts";
import { IpAddress } from "../../../net/address.ts";
import type { Endpoint } from "../../../net/endpoint.ts";

export const UP: CheckResult = { up: true, detail: "fine" };
export const REFUSED: CheckResult = { up: false, reason: "refused", detail: "port closed" };

/** `hang` ends when it is aborted, `deaf` never. */
export type Answer = CheckResult | "hang" | "deaf";

/** Calls `answer` with the number of the run (from 0) and remembers when and whom it checked. */
export class ScriptedCheck implements Check {
  readonly type = "scripted";
  readonly startedMs: number[] = [];
  readonly targets: Endpoint[] = [];
  running = 0;
  mostRunning = 0;

  constructor(readonly clock: ManualClock, readonly answer: (run: number) => Answer) {}

  async run(target: Endpoint, _dialer: Dialer, signal: AbortSignal): Promise<CheckResult> {
    const answer = this.answer(this.startedMs.length);
    this.startedMs.push(this.clock.nowMs());
    this.targets.push(target);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    if (typeof answer !== "string") {
      this.running--;
      return answer;
    }
    await new Promise<void>((resolve) => {
      if (answer === "deaf") return;
      signal.addEventListener("abort", () => {
        this.running--; // a socket is closed as soon as the signal says so
        resolve();
      });
    });
    return { up: false, reason: "timeout", detail: "hung" };
  }
}

/** A dialer for checks that never dial. */
export const NO_DIALER: Dialer = {
  connectTcp: () => Promise.reject(new Error("not expected to connect")),
  connectTls: () => Promise.reject(new Error("not expected to connect")),
  connectUdp: () => Promise.reject(new Error("not expected to connect")),
  run: () => Promise.reject(new Error("not expected to run anything")),
};

/** Timing with short round numbers; jitter aside, a failed check a second. */
export const TIMING: HealthTiming = {
  intervalMs: 1_000,
  fastIntervalMs: 500,
  downIntervalMs: 2_000,
  timeoutMs: 400,
  rise: 2,
  fall: 3,
  initialState: "up",
};

export const TARGET: Endpoint = { address: IpAddress.parse("192.0.2.1"), port: 80 };

/** Moves the clock in steps of `stepMs` and lets promises run in between, so that each step sees the results of the last. */
export async function pass(clock: ManualClock, ms: number, stepMs = 10): Promise<void> {
  await flush();
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(left, stepMs));
    await flush();
  }
}

/** Runs every promise reaction that is due; a check's result crosses fewer than ten of them. */
export async function flush(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
