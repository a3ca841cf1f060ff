/** lvsd itself as a child process, as a user starts it. */
import type { ServiceStatus, Status } from "../../admin/source.ts";
import { lvsdCommand } from "./lvsd_command.ts";
import { PeerProcess } from "./peer_process.ts";

/** A configuration as it stands in the file; `admin` is filled in. */
export interface LvsdConfig {
  readonly services: readonly unknown[];
  readonly [section: string]: unknown;
}

/** A running lvsd with its admin address on a free port. */
export class LvsdProcess implements AsyncDisposable {
  readonly #process: PeerProcess;

  private constructor(process: PeerProcess) {
    this.#process = process;
  }

  /** Starts it and waits until `/readyz` says that every service is bound and has a live destination. */
  static async start(config: LvsdConfig): Promise<LvsdProcess> {
    const process = await PeerProcess.start(async (port, directory) => {
      await writeConfig(config, port, directory);
      const [command, ...args] = lvsdCommand(["run", "-c", configPath(directory)]);
      return {
        command,
        args,
        ready: { url: `http://127.0.0.1:${port}/readyz` },
      };
    });
    return new LvsdProcess(process);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#process.port}`;
  }

  /** What it printed. */
  get log(): string {
    return this.#process.log;
  }

  get ended(): Promise<Deno.CommandStatus> {
    return this.#process.ended;
  }

  residentBytes(): number {
    return this.#process.residentBytes();
  }

  /** Text that the admin address answers at `path`. */
  async ask(path: string): Promise<string> {
    const response = await fetch(this.adminUrl + path);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text;
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.ask("/status"));
  }

  /**
   * What it says of one service; a service that listens on port 0 has its real port in `listen`.
   *
   * @param name of the service; the first one when left out
   */
  async service(name?: string): Promise<ServiceStatus> {
    const { services } = await this.status();
    const service = services.find((it) => name === undefined || it.name === name);
    if (service === undefined) throw new Error(`lvsd has no service ${name ?? ""}`);
    return service;
  }

  /** Port that a service listens on. */
  async portOf(name?: string): Promise<number> {
    const { listen } = await this.service(name);
    return Number(listen.slice(listen.lastIndexOf(":") + 1));
  }

  /** Path of its control socket. */
  get controlSocket(): string {
    return `${this.#process.directory}/control.sock`;
  }

  /** Replaces the file. */
  write(config: LvsdConfig): Promise<void> {
    return writeConfig(config, this.#process.port, this.#process.directory);
  }

  /** Replaces the file and asks for a reload by SIGHUP; when it has taken effect is for the caller to see. */
  async reload(config: LvsdConfig): Promise<void> {
    await writeConfig(config, this.#process.port, this.#process.directory);
    this.#process.kill("SIGHUP");
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function configPath(directory: string): string {
  return `${directory}/lvsd.yaml`;
}

/** JSON is YAML. */
function writeConfig(config: LvsdConfig, port: number, directory: string): Promise<void> {
  const admin = { listen: `127.0.0.1:${port}`, socket: `${directory}/control.sock` };
  return Deno.writeTextFile(configPath(directory), JSON.stringify({ admin, ...config }, null, 2));
}
