/** Starts an engine in a process of its own and asks it how it is. */
import type { EngineProcessWish, EngineReport } from "./tcp_engine_process.ts";
import { within } from "./waits.ts";

const PROGRAM = new URL("./tcp_engine_process.ts", import.meta.url).pathname;
/** Deno on a busy machine. */
const START_MS = 20_000;
/** Longest wait for an answer, which may take thousands of connections. */
const ANSWER_MS = 120_000;
const STOP_MS = 20_000;

export interface ProcessLimits {
  /** File descriptors (`ulimit -n`); fewer than this process may have. */
  readonly descriptors?: number;
  /** Command that runs the rest of its arguments. */
  readonly wrapper?: readonly string[];
}

/** Made by {@linkcode EngineProcess.start}; ends with its block. */
export class EngineProcess implements AsyncDisposable {
  readonly port: number;
  readonly #program: ProgramProcess;

  static async start(wish: EngineProcessWish, limits: ProcessLimits = {}): Promise<EngineProcess> {
    const program = await ProgramProcess.start(PROGRAM, [JSON.stringify(wish)], limits);
    const first: { port?: number; error?: string } = JSON.parse(await program.nextLine());
    if (first.port !== undefined) return new EngineProcess(program, first.port);
    await program[Symbol.asyncDispose]();
    throw new Error(first.error);
  }

  private constructor(program: ProgramProcess, port: number) {
    this.#program = program;
    this.port = port;
  }

  /**
   * How the engine is now.
   *
   * @param after `take`: once its process has used up all file descriptors; `give`: once it has let them go
   */
  async report(after: "take" | "give" | "" = ""): Promise<EngineReport> {
    return JSON.parse(await this.#program.ask(after));
  }

  /** Asks until the answer is as it should be. */
  async until(what: string, met: (report: EngineReport) => boolean, waitMs = 10_000): Promise<EngineReport> {
    const untilMs = performance.now() + waitMs;
    for (;;) {
      const report = await this.report();
      if (met(report)) return report;
      if (performance.now() > untilMs) {
        throw new Error(`not in ${waitMs} ms: ${what}; ${JSON.stringify(report)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Memory in use, bytes. Read from outside: to be asked costs memory too. */
  memoryBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#program.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
  }

  /** Processor time spent so far, milliseconds. */
  processorMs(): number {
    const fields = Deno.readTextFileSync(`/proc/${this.#program.pid}/stat`).split(") ")[1]?.split(" ") ?? [];
    // Fields 14 and 15, in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

/** A Deno program that answers lines with lines and ends with its input. */
export class ProgramProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: LineReader;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  static async start(
    path: string,
    args: readonly string[] = [],
    limits: ProcessLimits = {},
  ): Promise<ProgramProcess> {
    const deno = [Deno.execPath(), "run", "--quiet", "--no-check", "-A", path, ...args];
    const wrapped = [...limits.wrapper ?? [], ...deno];
    const limited = limits.descriptors === undefined
      ? wrapped
      : ["sh", "-c", `ulimit -n ${limits.descriptors} && exec "$0" "$@"`, ...wrapped];
    const [command = "", ...rest] = limited;
    const child = new Deno.Command(command, {
      args: rest,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const program = new ProgramProcess(child);
    const late = setTimeout(() => child.kill("SIGKILL"), START_MS);
    await program.#lines.peek();
    clearTimeout(late);
    return program;
  }

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = new LineReader(child.stdout);
    this.#input = child.stdin.getWriter();
  }

  get pid(): number {
    return this.#child.pid;
  }

  nextLine(): Promise<string> {
    return this.#lines.next();
  }

  async ask(line: string): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
    return await within(`an answer of process ${this.pid} to "${line}"`, ANSWER_MS, this.nextLine());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.#lines.rest();
    await this.#child.status;
    clearTimeout(late);
  }
}

class LineReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits for a line, and leaves it. */
  async peek(): Promise<void> {
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the process ended");
      this.#text += value;
    }
  }

  async next(): Promise<string> {
    await this.peek();
    const end = this.#text.indexOf("\n");
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return line;
  }

  async rest(): Promise<void> {
    while (!(await this.#reader.read()).done);
  }
}
