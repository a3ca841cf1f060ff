/**
 * `lvsd run --setup-network`: sets up what `clientAddress: transparent` needs of the host, and takes it away at the end.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { commandLine, TRANSPARENT_PIECES } from "../net/transparent_network.ts";

/** Runs a command of the system. @returns what it complained of, `""` when it succeeded */
export type RunCommand = (words: readonly string[]) => Promise<string>;

/** Set up; undone when disposed. */
export class TransparentNetwork implements AsyncDisposable {
  readonly #run: RunCommand;

  private constructor(run: RunCommand) {
    this.#run = run;
  }

  /**
   * Replaces what a killed lvsd has left.
   *
   * @throws {SystemError} `NETWORK_SETUP_FAILED`; nothing is left then
   */
  static async setUp(run: RunCommand = runCommand): Promise<TransparentNetwork> {
    const network = new TransparentNetwork(run);
    await network.#undo();
    for (const { setUp } of TRANSPARENT_PIECES) {
      const complaint = await run(setUp);
      if (complaint === "") continue;
      await network.#undo();
      throw new SystemError(
        "NETWORK_SETUP_FAILED",
        `--setup-network: ${
          commandLine(setUp)
        }: ${complaint}; it needs CAP_NET_ADMIN and the programs ip and nft`,
        {},
      );
    }
    return network;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo();
  }

  /** What is not there cannot be taken away: no complaint of ours. */
  async #undo(): Promise<void> {
    for (const { undo } of TRANSPARENT_PIECES.toReversed()) await this.#run(undo);
  }
}

async function runCommand([program = "", ...args]: readonly string[]): Promise<string> {
  try {
    const { success, stderr } = await new Deno.Command(program, { args, stdin: "null", stdout: "null" })
      .output();
    return success ? "" : new TextDecoder().decode(stderr).trim() || "it failed";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
