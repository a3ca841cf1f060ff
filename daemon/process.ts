/**
 * The daemon as a process: log, signals, admin doors, and the end of it.
 *
 * @module
 */
import { getLogger, type Logger } from "@logtape/logtape";
import {
  type AdminDoor,
  type AdminServerOptions,
  openAdminAddress,
  openControlSocket,
} from "../admin/server.ts";
import { controlSocketPlace, currentSurroundings } from "../admin/socket_path.ts";
import { SystemClock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { LvsdError, permissionError } from "../errors.ts";
import type { ThreadStock } from "../engines/native/thread_stock.ts";
import { SystemDialer } from "../healthcheck/dialer.ts";
import { SeededRandom } from "../net/random.ts";
import { Daemon } from "./daemon.ts";
import { configureLog, LOG_CATEGORY, LogQueue } from "./log_queue.ts";
import { hostAddresses } from "./own_listeners.ts";
import { lookUpName } from "./resolver.ts";
import { ServiceManager } from "./service_manager.ts";
import { installSignals } from "./signals.ts";
import { TransparentNetwork } from "./transparent_network.ts";
import { watchFile } from "./watch.ts";

/** How to run the process. */
export interface ProcessOptions {
  readonly config: Config;
  readonly load: () => Promise<Config>;
  readonly version: string;
  /** Set the host up for `clientAddress: transparent`, and undo that at the end. */
  readonly setsUpNetwork: boolean;
  /** Reload when the file changes. */
  readonly watch: boolean;
  /** See {@linkcode DaemonOptions}. */
  readonly stateFile?: string;
  readonly threads?: ThreadStock;
  /** Called when everything is up; a rejection ends the process. */
  readonly ready?: (running: RunningProcess) => void | Promise<void>;
}

/** What is running, for the one who started it. */
export interface RunningProcess {
  readonly daemon: Daemon;
  readonly logger: Logger;
  /** `http://127.0.0.1:9180`, undefined when it is off. */
  readonly adminUrl: string | undefined;
  /** Path, undefined when it is off. */
  readonly controlSocket: string | undefined;
}

/**
 * Runs until a signal ends it.
 *
 * @throws {SystemError} the admin address or control socket is taken
 */
export async function runProcess(options: ProcessOptions): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const abandoned = Promise.withResolvers<undefined>();
  let daemon: Daemon | undefined = undefined as Daemon | undefined;
  let manager: ServiceManager | undefined = undefined as ServiceManager | undefined;
  const logger = getLogger(LOG_CATEGORY);
  using _signals = installSignals({
    drain: (signal) => {
      logger.info("{signal}: draining; the same signal again ends at once", { signal });
      manager?.stopping("draining");
      if (daemon === undefined) ended.resolve();
      else void daemon.drain().then(ended.resolve, ended.reject);
    },
    endNow: (signal) => {
      logger.warn("{signal} again: ending at once", { signal });
      abandoned.resolve(undefined);
      ended.resolve();
    },
    reload: () => void daemon?.reload(),
  });
  const queue = new LogQueue(Deno.stderr);
  const colour = Deno.stderr.isTerminal() && (Deno.env.get("NO_COLOR") ?? "") === "";
  await configureLog(options.config.log, queue, colour);
  using _defects = catchDefects(logger);
  // Asked for when traffic comes; a missing permission is told now.
  hostAddresses();
  const clock = new SystemClock();
  manager = ServiceManager.find({ env: (name) => Deno.env.get(name), pid: Deno.pid, clock, logger });
  using _manager = manager;
  using dialer = new SystemDialer(clock);
  await using _network = options.setsUpNetwork ? await TransparentNetwork.setUp() : undefined;
  const starting = Daemon.start({
    ...options,
    clock,
    random: new SeededRandom(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0),
    logger,
    dialer,
    lookUpName,
    localAddresses: hostAddresses,
    onReload: (outcome) => manager?.reload(outcome?.message),
    onLogConfig: (log) => configureLog(log, queue, colour),
    logDropped: () => queue.dropped,
  });
  // A disk that does not answer must not keep whoever wants to end this.
  daemon = await Promise.race([starting, abandoned.promise]);
  if (daemon === undefined) return await queue.flush();
  try {
    await serve(options, daemon, { logger, clock, manager, ended: ended.promise });
  } finally {
    logger.info("ended");
    await queue.flush();
  }
}

/** From the admin API's opening to the end of everything. */
async function serve(
  options: ProcessOptions,
  daemon: Daemon,
  { logger, clock, manager, ended }: {
    logger: Logger;
    clock: SystemClock;
    manager: ServiceManager | undefined;
    ended: Promise<void>;
  },
): Promise<void> {
  const doors: AdminDoor[] = [];
  try {
    const running = await openDoors(options, daemon, doors, logger, clock);
    using _watch = options.watch && options.config.file !== ""
      ? watchFile(options.config.file, clock, () => void daemon.reload())
      : undefined;
    announce(running, options.version);
    await options.ready?.(running);
    manager?.ready(daemon.services.length === 1 ? "1 service" : `${daemon.services.length} services`);
    await ended;
  } finally {
    manager?.stopping("ending");
    await daemon.stop();
    await Promise.all(doors.map((door) => door.close()));
  }
}

async function openDoors(
  options: ProcessOptions,
  daemon: Daemon,
  doors: AdminDoor[],
  logger: Logger,
  clock: SystemClock,
): Promise<RunningProcess> {
  const { admin } = options.config;
  const server: AdminServerOptions = {
    source: daemon,
    version: options.version,
    clock,
    onDefect: (error) => logger.error("a defect in the admin API: {error}", { error: describe(error) }),
  };
  let adminUrl: string | undefined;
  let controlSocket: string | undefined;
  if (admin.listen !== undefined) {
    const door = await openAdminAddress(admin.listen, admin.token, server);
    doors.push(door);
    adminUrl = `http://${door.address}`;
  }
  const place = admin.socket === false
    ? undefined
    : admin.socket === undefined
    ? controlSocketPlace(currentSurroundings())
    : { path: admin.socket, sharedParent: false };
  if (place !== undefined) {
    doors.push(await openControlSocket(place, server));
    controlSocket = place.path;
  }
  return { daemon, logger, adminUrl, controlSocket };
}

function announce({ daemon, logger, adminUrl, controlSocket }: RunningProcess, version: string): void {
  const { services } = daemon;
  const destinations = services.reduce((sum, it) => sum + it.members.length, 0);
  logger.info(
    "lvsd {version} ready: services {services}, destinations {destinations}, admin {admin}, control {control}",
    {
      version,
      services: services.length,
      destinations,
      admin: adminUrl ?? "off",
      control: controlSocket ?? "off",
      unbound: daemon.unbound.length,
    },
  );
}

/** An error that nobody caught is a defect of ours, and no reason to drop everybody's connections. */
function catchDefects(logger: Logger): Disposable {
  const rejected = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    logger.error("a defect in lvsd, please report it: {error}", { error: describe(event.reason) });
  };
  const thrown = (event: ErrorEvent): void => {
    event.preventDefault();
    logger.error("a defect in lvsd, please report it: {error}", { error: describe(event.error) });
  };
  globalThis.addEventListener("unhandledrejection", rejected);
  globalThis.addEventListener("error", thrown);
  return {
    [Symbol.dispose]: () => {
      globalThis.removeEventListener("unhandledrejection", rejected);
      globalThis.removeEventListener("error", thrown);
    },
  };
}

function describe(thrown: unknown): string {
  const error = permissionError(thrown) ?? thrown;
  if (error instanceof LvsdError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
