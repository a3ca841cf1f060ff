/**
 * A real program as the other end of a test: started, watched until it is ready, stopped when its block ends.
 */
import { freePort } from "./free_port.ts";

/** How a peer shows that it takes connections. */
export type Ready =
  /** By a line on its output. */
  | { readonly line: RegExp }
  /** By accepting a connection on its port. */
  | "accepts"
  /** By answering 200 to a GET. */
  | { readonly url: string };

/** What to start. */
export interface PeerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly ready: Ready;
}

const READY_MS = 20_000;
/** Time between SIGTERM and SIGKILL. */
const STOP_MS = 5_000;
/** Between two looks at a port; Linux refuses a loopback connect within microseconds. */
const LOOK_MS = 10;
const PORT_TRIES = 3;
/** Of what a peer printed, for the message of a failed start. */
const LOG_CHARACTERS = 65_536;

/**
 * A running peer on a port of 127.0.0.1, with a temporary directory that goes when it goes.
 *
 * ```ts
 * await using redis = await startRedis();
 * await Deno.connect({ port: redis.port });
 * ```
 */
export class PeerProcess implements AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #readyWhen: Ready;
  readonly #startedMs = performance.now();
  #readyAfterMs = Infinity;
  #log = "";
  #stopping: Promise<void> | undefined;

  private constructor(command: PeerCommand, port: number, directory: string) {
    this.port = port;
    this.directory = directory;
    this.#readyWhen = command.ready;
    this.#child = new Deno.Command(command.command, {
      args: [...command.args],
      env: { ...command.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  /**
   * Starts a peer and waits until it is ready. When it ends before that, as it does if another program took the port
   * meanwhile, it is tried again on another port.
   *
   * @param prepare makes its files in `directory` and says what to start
   */
  static async start(
    prepare: (port: number, directory: string) => PeerCommand | Promise<PeerCommand>,
  ): Promise<PeerProcess> {
    for (let tries = 1;; tries++) {
      const port = await freePort();
      const directory = await Deno.makeTempDir({ prefix: "lvsd-peer-" });
      const peer = new PeerProcess(await prepare(port, directory), port, directory);
      const outcome = await peer.#waitUntilReady();
      if (outcome === "ready") return peer;
      await peer.stop();
      if (tries === PORT_TRIES || outcome === "late") {
        throw new Error(`${peer.#child.pid} is not ready (${outcome}); it printed:\n${peer.log}`);
      }
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** From its start until it was ready, milliseconds, give or take {@linkcode LOOK_MS}. */
  get readyAfterMs(): number {
    return this.#readyAfterMs;
  }

  /** The last of what it printed on both outputs. */
  get log(): string {
    return this.#log;
  }

  /** Resolves when the process has ended. */
  get ended(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Memory it holds at this moment (VmRSS), in bytes. Linux only. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  }

  /** Ends it: SIGTERM, and SIGKILL for one that does not listen. Its directory is removed. */
  stop(graceMs = STOP_MS): Promise<void> {
    return this.#stopping ??= this.#stop(graceMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(graceMs: number): Promise<void> {
    this.#tryKill("SIGTERM");
    const late = setTimeout(() => this.#tryKill("SIGKILL"), graceMs);
    await this.#child.status;
    clearTimeout(late);
    await this.#reading;
    await Deno.remove(this.directory, { recursive: true });
  }

  #tryKill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #waitUntilReady(): Promise<"ready" | "ended" | "late"> {
    const over = new AbortController();
    const ended = this.#child.status.then(() => "ended" as const);
    const outcome = await Promise.race([this.#whenReady(over.signal), ended, after(READY_MS, over.signal)]);
    over.abort();
    return outcome;
  }

  async #whenReady(over: AbortSignal): Promise<"ready"> {
    const when = this.#readyWhen;
    if (when !== "accepts" && "line" in when) await this.#ready.promise;
    else {
      const look = when === "accepts" ? () => accepts(this.port) : () => answers(when.url);
      while (!over.aborted && !await look()) await after(LOOK_MS, over);
    }
    this.#readyAfterMs = performance.now() - this.#startedMs;
    return "ready";
  }

  async #read(output: ReadableStream<Uint8Array>): Promise<void> {
    const when = this.#readyWhen;
    const isLine = when !== "accepts" && "line" in when;
    for await (const text of output.pipeThrough(new TextDecoderStream())) {
      this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
      if (isLine && when.line.test(this.#log)) this.#ready.resolve();
    }
  }
}

function after(delayMs: number, over: AbortSignal): Promise<"late"> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs, "late");
    over.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    // Refused: fetch says no more than that it failed.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
