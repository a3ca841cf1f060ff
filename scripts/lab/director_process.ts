/**
 * The lab's director as a process in its namespace.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { SystemError } from "../../errors.ts";
import type { ToolAnswer } from "../../ipvsadm/tool.ts";
import { inside } from "./command.ts";
import { namespaceOf } from "./topology.ts";

const PROGRAM = fileURLToPath(new URL("./lab_director.ts", import.meta.url));

/** Speaks with the process: a line there, a line back. */
export class DirectorProcess {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts it and waits until it forwards. */
  static async start(): Promise<DirectorProcess> {
    const [program = "", ...args] = inside(namespaceOf("director"), [
      Deno.execPath(),
      "run",
      "-A",
      PROGRAM,
    ]);
    const command = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "inherit" });
    const process = new DirectorProcess(command.spawn());
    await process.#read();
    return process;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Runs an ipvsadm command. @throws {SystemError} `COMMAND_FAILED` */
  async ipvsadm(words: string): Promise<string> {
    const answer = await this.ask(words) as ToolAnswer;
    if (answer.code === 0) return answer.stdout;
    throw new SystemError("COMMAND_FAILED", `ipvsadm ${words}: ${answer.stderr.trim()}`, {
      code: answer.code,
    });
  }

  /** Sends a line and reads one. */
  async ask(line: string): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    return await this.#read();
  }

  /** Lets it end in order. */
  async stop(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #read(): Promise<unknown> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(line);
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new SystemError("COMMAND_FAILED", "the lab's director ended before it answered", {});
      this.#rest += value;
    }
  }
}
