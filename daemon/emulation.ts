/**
 * Which services are not what their forwarding method says, and why; and those for which that will not do.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { Config, ServiceConfig } from "../config/model.ts";
import type { Engine } from "../engines/engine.ts";
import { SystemError } from "../errors.ts";
import type { ForwardingMethodName } from "../modes/rules.ts";
import type { Engines } from "./engines.ts";

/**
 * What sockets make of a forwarding method, `""` where it is real.
 *
 * @param methods of the service and of its destinations
 * @param obstacle why there is no packet engine, `""` when there is one
 */
export function emulationOf(
  methods: readonly (ForwardingMethodName | undefined)[],
  engine: Engine["name"],
  obstacle = "",
): string {
  const method = methods.find((it) => it !== undefined && it !== "nat");
  if (method === undefined || engine === "packet") return "";
  const instead = engine === "hand-over"
    ? `${method} needs the packet engine; accepted sockets are handed to a receiver on this host, so answers bypass the director`
    : `${method} needs the packet engine; the ${engine} engine relays over sockets, so answers pass the director and the real server sees the director's address`;
  return obstacle === "" ? instead : `${instead}; why: ${obstacle}`;
}

/** Tells the log of every service that is not what its method says; of one that goes on as it was, once. */
export class EmulationLog {
  readonly #logger: Logger;
  #told = new Map<string, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  tell({ services }: Pick<Config, "services">, engines: Engines): void {
    const found = new Map<string, string>();
    for (const service of services) {
      const reason = emulationFor(service, engines);
      if (reason === "") continue;
      found.set(service.name, reason);
      if (this.#told.get(service.name) === reason) continue;
      this.#logger.warn("service {service} is emulated: {reason}", { service: service.name, reason });
    }
    this.#told = found;
  }
}

/** The same for a service as it is configured. */
export function emulationFor(service: ServiceConfig, engines: Engines): string {
  return emulationOf(
    [service.mode, ...service.destinations.map((it) => it.method)],
    engines.choiceFor(service).engine.name,
    engines.packetObstacle,
  );
}

/**
 * Holds every service to its `require: real`.
 *
 * @throws {SystemError} `EMULATION_REFUSED`
 */
export function refuseEmulation({ services }: Pick<Config, "services">, engines: Engines): void {
  for (const service of services) {
    if (service.require !== "real") continue;
    const { engine, reason } = engines.choiceFor(service);
    const emulation = emulationFor(service, engines);
    if (emulation === "") continue;
    const choice = engines.packetObstacle === "" ? `; ${reason}` : "";
    throw new SystemError(
      "EMULATION_REFUSED",
      `service "${service.name}" has require: real and would be emulated: ${emulation}${choice}; ` +
        "see: lvsd doctor -c CONFIG",
      { service: service.name, engine: engine.name },
    );
  }
}
