/**
 * Running a program for a check: no shell, bounded output, and an end that is certain.
 *
 * @module
 */
import type { Clock, Timer } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import { CheckError, type CommandOutcome } from "./check.ts";
import { checkErrorOf } from "./failure_reason.ts";

/**
 * Runs `command` and resolves when it has ended. On abort its process group gets SIGTERM, and SIGKILL after
 * `LIMITS.healthKillGraceMs`; the promise then rejects with `timeout`, once the process is gone.
 *
 * Of lvsd's own environment the program sees PATH alone: the rest may hold secrets of the configuration.
 */
export async function runCommand(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  clock: Clock,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  if (signal.aborted) throw tooLate();
  const child = spawn(command, env);
  const killer = new Killer(child, clock);
  const onAbort = () => killer.begin();
  signal.addEventListener("abort", onAbort, { once: true });
  const output = new BoundedOutput([child.stdout, child.stderr]);
  try {
    const { code } = await child.status;
    if (!signal.aborted) await output.settled(clock);
    if (signal.aborted) throw tooLate();
    return { code, output: output.text() };
  } finally {
    signal.removeEventListener("abort", onAbort);
    killer.end();
    await output.cancel();
  }
}

function spawn(command: readonly string[], env: Readonly<Record<string, string>>): Deno.ChildProcess {
  const [program = "", ...args] = command;
  try {
    return new Deno.Command(program, {
      args,
      env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", ...env },
      clearEnv: true,
      // A session of its own: what the program starts dies with it, and Ctrl-C at lvsd's terminal does not reach it.
      detached: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    throw checkErrorOf(error, "command");
  }
}

/** Ends a process group: politely, then certainly. */
class Killer {
  readonly #child: Deno.ChildProcess;
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(child: Deno.ChildProcess, clock: Clock) {
    this.#child = child;
    this.#clock = clock;
  }

  begin(): void {
    this.#signal("SIGTERM");
    this.#timer = this.#clock.after(LIMITS.healthKillGraceMs, () => this.#signal("SIGKILL"));
  }

  /** The program itself has ended; after a `begin`, what it left in its group goes too. */
  end(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#signal("SIGKILL");
  }

  #signal(name: "SIGTERM" | "SIGKILL"): void {
    try {
      Deno.kill(-this.#child.pid, name);
    } catch {
      // No group left, no groups on this system, or no permission to signal any process but one's own children.
      killChild(this.#child, name);
    }
  }
}

function killChild(child: Deno.ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  try {
    child.kill(name);
  } catch {
    // It has ended already.
  }
}

/** Reads streams to their end, keeps the first `LIMITS.healthAnswerBytes` over all and throws the rest away. */
class BoundedOutput {
  readonly #readers: readonly ReadableStreamDefaultReader<Uint8Array>[];
  readonly #ends: Promise<unknown>;
  readonly #chunks: Uint8Array[] = [];
  #room: number = LIMITS.healthAnswerBytes;

  constructor(streams: readonly ReadableStream<Uint8Array>[]) {
    this.#readers = streams.map((stream) => stream.getReader());
    this.#ends = Promise.all(this.#readers.map((reader) => this.#drain(reader)));
  }

  /** Waits for the end of output; a background process may hold it open for ever, so not for long. */
  async settled(clock: Clock): Promise<void> {
    const patience = Promise.withResolvers<void>();
    const timer = clock.after(LIMITS.healthOutputGraceMs, patience.resolve);
    await Promise.race([this.#ends, patience.promise]);
    timer.cancel();
  }

  text(): string {
    const bytes = new Uint8Array(LIMITS.healthAnswerBytes - this.#room);
    let offset = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return new TextDecoder().decode(bytes);
  }

  async cancel(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.cancel()));
    await this.#ends;
  }

  async #drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const kept = value.subarray(0, this.#room);
      this.#room -= kept.length;
      if (kept.length > 0) this.#chunks.push(kept);
    }
  }
}

function tooLate(): CheckError {
  return new CheckError("timeout", "the command had not ended in time");
}
