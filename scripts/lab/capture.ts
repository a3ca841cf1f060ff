/**
 * tcpdump on a host of the lab, into a file that is asked afterwards.
 *
 * @module
 */
import { SystemError } from "../../errors.ts";
import { inside, must } from "./command.ts";
import { type LabHost, namespaceOf } from "./topology.ts";

/** Enough for a burst of a few thousand packets, KiB. */
const BUFFER_KIB = 16_384;
const SETTLE_MS = 100;
const DROPPED = /^([1-9]\d*) packets? dropped by kernel$/m;

/** What is captured where. */
export interface CaptureOptions {
  readonly host: LabHost;
  /** `any` for all interfaces. */
  readonly link: string;
  readonly file: string;
  readonly filter: string;
  /** Bytes that are kept of each packet; left out: all. */
  readonly snapBytes?: number;
}

/** One running tcpdump. */
export class Capture {
  readonly #child: Deno.ChildProcess;
  readonly #file: string;
  readonly #errors: ReadableStreamDefaultReader<string>;
  #said = "";

  private constructor(child: Deno.ChildProcess, file: string) {
    this.#child = child;
    this.#file = file;
    this.#errors = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts, and returns when it listens. @throws {SystemError} `COMMAND_FAILED` */
  static async start({ host, link, file, filter, snapBytes = 0 }: CaptureOptions): Promise<Capture> {
    const [program = "", ...args] = inside(namespaceOf(host), [
      ...[
        "tcpdump",
        "-nn",
        "-U",
        "--immediate-mode",
        "-Z",
        "root",
        "-B",
        `${BUFFER_KIB}`,
        "-s",
        `${snapBytes}`,
      ],
      ...["-i", link, "-w", file, filter],
    ]);
    const command = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" });
    const capture = new Capture(command.spawn(), file);
    await capture.#hear("listening on");
    return capture;
  }

  /** Ends it. @throws {SystemError} `COMMAND_FAILED` when it did not keep up: what it has not seen proves nothing */
  async stop(): Promise<void> {
    await this.#settle();
    this.#child.kill("SIGINT");
    await this.#hear(undefined);
    await this.#child.status;
    const [, dropped] = DROPPED.exec(this.#said) ?? [];
    if (dropped === undefined) return;
    throw new SystemError("COMMAND_FAILED", `tcpdump missed ${dropped} packets`, { file: this.#file });
  }

  /** How many of the captured packets a filter fits. */
  async count(filter: string): Promise<number> {
    return (await this.lines(filter)).length;
  }

  /** Those packets as tcpdump prints them. */
  async lines(filter: string, ...options: string[]): Promise<string[]> {
    const text = await must(["tcpdump", "-nn", "-r", this.#file, ...options, filter]);
    return text.split("\n").filter((it) => it !== "");
  }

  /** Waits until it has written what it heard. */
  async #settle(): Promise<void> {
    for (let before = -1, now = 0; before !== now;) {
      before = now;
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      now = (await Deno.stat(this.#file)).size;
    }
  }

  /** Reads what it says until these words come, or to the end. */
  async #hear(words: string | undefined): Promise<void> {
    while (words === undefined || !this.#said.includes(words)) {
      const { value, done } = await this.#errors.read();
      if (!done) this.#said += value;
      else if (words === undefined) return;
      else throw new SystemError("COMMAND_FAILED", `tcpdump: ${this.#said.trim()}`, { file: this.#file });
    }
  }
}
