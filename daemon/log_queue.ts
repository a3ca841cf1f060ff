/**
 * The way of log records out of the process: a bounded queue in front of a slow file or terminal, so that whoever reads the
 * log can never hold up the data path. What does not fit is dropped and counted.
 *
 * @module
 */
import { configure, type LogRecord, reset } from "@logtape/logtape";
import type { LogConfig } from "../config/model.ts";
import { LIMITS } from "../limits.ts";
import { formatJson, formatText } from "./log_format.ts";

/** Takes bytes and says when it took them; `Deno.stderr` is one. */
export interface LogOutput {
  write(bytes: Uint8Array): Promise<number>;
}

/** Bounded queue of formatted log lines. */
export class LogQueue {
  readonly #output: LogOutput;
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  #writing: Promise<void> | undefined;
  #dropped = 0;
  #toldDropped = 0;

  constructor(output: LogOutput) {
    this.#output = output;
  }

  /** Records lost because the output was slow. */
  get dropped(): number {
    return this.#dropped;
  }

  push(line: string): void {
    if (this.#lines.length >= LIMITS.logQueueRecords) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything pushed so far is written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #drain(): Promise<void> {
    // One turn of the event loop gathers the lines of a burst into one write.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      if (this.#dropped > this.#toldDropped) {
        lines.push(
          `... ${this.#dropped - this.#toldDropped} log records dropped: the log is read too slowly\n`,
        );
        this.#toldDropped = this.#dropped;
      }
      try {
        await writeAll(this.#output, this.#encoder.encode(lines.join("")));
      } catch {
        // A closed log (`lvsd run 2>&1 | head`) must not end the director.
        this.#dropped += lines.length;
        this.#toldDropped = this.#dropped;
      }
    }
    // In the same turn as the look at the empty queue: a line pushed after it begins a write of its own.
    this.#writing = undefined;
  }
}

async function writeAll(output: LogOutput, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await output.write(bytes.subarray(at));
}

/** Category of every lvsd log record. */
export const LOG_CATEGORY = "lvsd";

/** Directs the process's logger into `queue`; called again at a reload. */
export async function configureLog(config: LogConfig, queue: LogQueue, colour: boolean): Promise<void> {
  await reset();
  const format = config.format === "json" ? formatJson : (record: LogRecord) => formatText(record, colour);
  await configure({
    sinks: { queue: (record: LogRecord) => queue.push(format(record)) },
    loggers: [
      { category: LOG_CATEGORY, lowestLevel: config.level, sinks: ["queue"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["queue"] },
    ],
  });
}
