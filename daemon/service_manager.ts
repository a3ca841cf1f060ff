/**
 * What systemd is told: ready, reloading, stopping, and that the main loop still turns (`sd_notify(3)`).
 *
 * Without `$NOTIFY_SOCKET` nobody asked, and nothing is sent.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import { SystemError } from "../errors.ts";
import { errnoName } from "../sys/errno.ts";
import { NotifySocket } from "../sys/notify_socket.ts";

/** What it works with. */
export interface ServiceManagerParts {
  /** An environment variable. */
  readonly env: (name: string) => string | undefined;
  readonly pid: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Tells the service manager that started this process. */
export class ServiceManager implements Disposable {
  readonly #socket: NotifySocket;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #watchdogMs: number;
  #timer: Timer | undefined;
  #trouble = 0;

  private constructor(socket: NotifySocket, watchdogMs: number, { clock, logger }: ServiceManagerParts) {
    this.#socket = socket;
    this.#watchdogMs = watchdogMs;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Undefined where no manager asks to be told, or where it cannot be: then the log says so. */
  static find(parts: ServiceManagerParts): ServiceManager | undefined {
    const { env, pid, logger } = parts;
    const path = env("NOTIFY_SOCKET") ?? "";
    if (!path.startsWith("/") && !path.startsWith("@")) return undefined;
    const isOurs = (env("WATCHDOG_PID") ?? `${pid}`) === `${pid}`;
    const intervalMs = isOurs ? Number(env("WATCHDOG_USEC") ?? 0) / 1_000 : 0;
    try {
      // Twice in the time allowed, as sd_watchdog_enabled(3) advises.
      return new ServiceManager(NotifySocket.open(path), intervalMs > 0 ? intervalMs / 2 : 0, parts);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      logger.warn("systemd is not told that lvsd is ready, and may end it: {problem}", {
        problem: error.message,
      });
      return undefined;
    }
  }

  /** Up, or a reload has ended. @param status a line for `systemctl status` */
  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${oneLine(status)}`);
    if (this.#timer === undefined && this.#watchdogMs > 0) this.#watch();
  }

  /** @param message what came of it; undefined while it goes on */
  reload(message: string | undefined): void {
    if (message !== undefined) return this.ready(`reload: ${message}`);
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${this.#socket.nowUs()}\nSTATUS=reloading`);
  }

  /** The watchdog goes on: a drain that hangs is ended too. */
  stopping(status: string): void {
    this.#send(`STOPPING=1\nSTATUS=${oneLine(status)}`);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#socket[Symbol.dispose]();
  }

  #watch(): void {
    this.#send("WATCHDOG=1");
    this.#timer = this.#clock.after(this.#watchdogMs, () => this.#watch());
  }

  #send(text: string): void {
    const result = this.#socket.send(text);
    // Once for each kind of trouble, not with every beat.
    if (result < 0 && result !== this.#trouble) {
      this.#logger.warn("the service manager cannot be told {text}: {problem}", {
        text: text.split("\n")[0],
        problem: errnoName(-result),
      });
    }
    this.#trouble = result;
  }
}

function oneLine(text: string): string {
  return text.replaceAll("\n", " ");
}
