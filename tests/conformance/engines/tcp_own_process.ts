/** Starts an engine in a process of its own and asks it how it is. */
import type { EngineProcessWish, EngineReport } from "./tcp_engine_process.ts";

const PROGRAM = new URL("./tcp_engine_process.ts", import.meta.url).pathname;
/** Deno on a busy machine. */
const START_MS = 20_000;

export interface ProcessLimits {
  /** File descriptors (`ulimit -n`); more than the hard limit needs root. */
  readonly descriptors?: number;
  /** Command that runs the rest of its arguments. */
  readonly wrapper?: readonly string[];
}

/** Made by {@linkcode EngineProcess.start}; ends with its block. */
export class EngineProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #lines: LineReader;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  static async start(wish: EngineProcessWish, limits: ProcessLimits = {}): Promise<EngineProcess> {
    const deno = [Deno.execPath(), "run", "--quiet", "--no-check", "-A", PROGRAM, JSON.stringify(wish)];
    const wrapped = [...limits.wrapper ?? [], ...deno];
    const limited = limits.descriptors === undefined
      ? wrapped
      : ["sh", "-c", `ulimit -n ${limits.descriptors} && exec "$0" "$@"`, ...wrapped];
    const [command = "", ...args] = limited;
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "inherit" })
      .spawn();
    const lines = new LineReader(child.stdout);
    const late = setTimeout(() => child.kill("SIGKILL"), START_MS);
    const first: { port?: number; error?: string } = JSON.parse(await lines.next());
    clearTimeout(late);
    if (first.port !== undefined) return new EngineProcess(child, lines, first.port);
    await child.stdin.close();
    await lines.rest();
    await child.status;
    throw new Error(first.error);
  }

  private constructor(child: Deno.ChildProcess, lines: LineReader, port: number) {
    this.#child = child;
    this.#lines = lines;
    this.#input = child.stdin.getWriter();
    this.port = port;
  }

  /**
   * How the engine is now.
   *
   * @param after `take`: once its process has used up all file descriptors; `give`: once it has let them go
   */
  async report(after: "take" | "give" | "" = ""): Promise<EngineReport> {
    await this.#input.write(new TextEncoder().encode(`${after}\n`));
    return JSON.parse(await this.#lines.next());
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

  /** Processor time spent so far, milliseconds. */
  processorMs(): number {
    const fields = Deno.readTextFileSync(`/proc/${this.#child.pid}/stat`).split(") ")[1]?.split(" ") ?? [];
    // Fields 14 and 15, in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#lines.rest();
    await this.#child.status;
  }
}

class LineReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the engine's process ended");
      this.#text += value;
    }
  }

  async rest(): Promise<void> {
    while (!(await this.#reader.read()).done);
  }
}
