/** The commands of ipvsadm against a running lvsd, over its control socket. */
import { ControlClient } from "../../admin/client.ts";
import { SystemClock } from "../../clock.ts";
import type { ToolAnswer } from "../../admin/tool.ts";

/** One control socket. Words of a command are divided by blanks. */
export class ToolPeer {
  readonly #client: ControlClient;

  constructor(socketPath: string) {
    this.#client = new ControlClient({ socketPath }, { clock: new SystemClock() });
  }

  answer(line: string, stdin = ""): Promise<ToolAnswer> {
    return this.#client.tool({ words: line.split(" ").filter((it) => it !== ""), stdin });
  }

  /** Output of a command that must succeed. */
  async run(line: string, stdin = ""): Promise<string> {
    const { code, stdout, stderr } = await this.answer(line, stdin);
    if (code !== 0 || stderr !== "") throw new Error(`ipvsadm ${line}: exit code ${code}: ${stderr}`);
    return stdout;
  }

  /** Message of a command that must fail with this exit code. */
  async refusal(line: string, wanted = 255): Promise<string> {
    const { code, stderr } = await this.answer(line);
    if (code !== wanted) throw new Error(`ipvsadm ${line}: exit code ${code}, not ${wanted}: ${stderr}`);
    return stderr.trimEnd();
  }

  proc(view: string): Promise<string> {
    return this.#client.proc(view);
  }

  reload(): ReturnType<ControlClient["reload"]> {
    return this.#client.reload();
  }
}
