/** A daemon in the test's own process, in front of small real servers whose health can be switched. */
import { getLogger } from "@logtape/logtape";
import type { ServiceStatus } from "../../admin/source.ts";
import { SystemClock } from "../../clock.ts";
import { loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/model.ts";
import { Daemon } from "../../daemon/daemon.ts";
import type { LookUpName } from "../../daemon/resolver.ts";
import { SystemDialer } from "../../healthcheck/dialer.ts";
import { SeededRandom } from "../../net/random.ts";

/** Answers with its name; `/health` with 200 or 503. */
export class NamedServer implements AsyncDisposable {
  healthy = true;
  readonly address: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(name: string, hostname = "127.0.0.1", port = 0) {
    this.#server = Deno.serve({ hostname, port, onListen: () => {} }, ({ url }) => {
      if (!url.endsWith("/health")) return new Response(name);
      return new Response("", { status: this.healthy ? 200 : 503 });
    });
    this.address = `${hostname}:${this.#server.addr.port}`;
  }

  get port(): number {
    return this.#server.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A running daemon. */
export class DaemonSetting implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly #dialer: SystemDialer;
  readonly #file: { config: Config };

  private constructor(daemon: Daemon, dialer: SystemDialer, file: { config: Config }) {
    this.daemon = daemon;
    this.#dialer = dialer;
    this.#file = file;
  }

  /** @param services as they stand in the file */
  static async start(
    services: readonly unknown[],
    lookUpName: LookUpName = noNames,
    stateFile?: string,
  ): Promise<DaemonSetting> {
    const file = { config: read(services) };
    const clock = new SystemClock();
    const dialer = new SystemDialer(clock);
    const daemon = await Daemon.start({
      config: file.config,
      load: () => Promise.resolve(file.config),
      clock,
      random: new SeededRandom(1),
      logger: getLogger(["lvsd", "tests"]),
      version: "test",
      dialer,
      lookUpName,
      localAddresses: () => [],
      stateFile,
    });
    return new DaemonSetting(daemon, dialer, file);
  }

  /** The file has other services now. */
  async reload(services: readonly unknown[]): Promise<void> {
    this.#file.config = read(services);
    const { ok, message } = await this.daemon.reload();
    if (!ok) throw new Error(message);
  }

  /** What the service answers, or `refused` when the connection is reset. */
  async ask(name: string): Promise<string> {
    const port = Number(this.service(name).listen.split(":").at(-1));
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
      await connection.write(new TextEncoder().encode(request));
      let text = "";
      for await (const chunk of connection.readable) text += new TextDecoder().decode(chunk);
      return text.slice(text.indexOf("\r\n\r\n") + 4);
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) {
        return "refused";
      }
      throw error;
    }
  }

  /** Names that answered, of so many requests one after the other. */
  async askTimes(name: string, times: number): Promise<Set<string>> {
    const answers = new Set<string>();
    for (let i = 0; i < times; i++) answers.add(await this.ask(name));
    return answers;
  }

  service(name: string): ServiceStatus {
    const found = this.daemon.status().services.find((it) => it.name === name);
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  }

  /** State words of a service's destinations. */
  states(name: string): string[] {
    return this.service(name).destinations.map((it) => it.state);
  }

  /** Weights as the director holds them, newest first. */
  heldWeights(name: string): number[] {
    const service = this.daemon.services.find((it) => it.config.name === name);
    if (service === undefined) throw new Error(`no service ${name}`);
    return this.daemon.director.destinationViews(service.handle).map((it) => it.weight);
  }

  /** Looks again whenever other work of this process had its turn. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const lateMs = performance.now() + 10_000;
    while (!condition()) {
      if (performance.now() > lateMs) {
        throw new Error(`never saw: ${what}; ${JSON.stringify(this.daemon.status().services, null, 1)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon.stop();
    this.#dialer[Symbol.dispose]();
  }
}

function read(services: readonly unknown[]): Config {
  return loadConfig(JSON.stringify({ services }), "test.yaml", () => undefined);
}

function noNames(host: string): Promise<never> {
  return Promise.reject(new Error(`${host} is not known here`));
}
