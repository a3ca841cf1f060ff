/**
 * The check that a program says yes.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import type { Check, CheckResult, Dialer } from "./check.ts";
import { excerpt } from "./excerpt.ts";

/** What is run. */
export interface ExecCheckOptions {
  readonly type: "exec";
  /** Program and arguments; no shell reads them. */
  readonly command: readonly string[];
  /** Environment of the program, besides `PATH`, `LVSD_ADDRESS` and `LVSD_PORT`. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Up when the program exits with 0. It finds the server in `LVSD_ADDRESS` and `LVSD_PORT`. */
export class ExecCheck implements Check {
  readonly type = "exec";
  readonly #options: ExecCheckOptions;

  constructor(options: ExecCheckOptions) {
    this.#options = options;
  }

  async run({ address, port }: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckResult> {
    const { command, environment } = this.#options;
    const env = { ...environment, LVSD_ADDRESS: `${address}`, LVSD_PORT: `${port}` };
    const { code, output } = await dialer.run(command, env, signal);
    const said = output.trim() === "" ? "" : `: ${excerpt(output.trim())}`;
    if (code === 0) return { up: true, detail: `exit 0${said}` };
    return { up: false, reason: "exit-code", detail: `exit ${code}${said}` };
  }
}
