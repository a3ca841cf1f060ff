/**
 * Which services are not what their forwarding method says, and why; and those for which that will not do.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import type { Engine } from "../engines/engine.ts";
import { SystemError } from "../errors.ts";
import type { ForwardingMethodName } from "../modes/rules.ts";
import { type Engines, packetObstacle } from "./engines.ts";

/**
 * What sockets make of a forwarding method, `""` where it is real.
 *
 * @param methods of the service and of its destinations
 */
export function emulationOf(
  methods: readonly (ForwardingMethodName | undefined)[],
  engine: Engine["name"],
): string {
  const method = methods.find((it) => it !== undefined && it !== "nat");
  if (method === undefined || engine === "packet") return "";
  return engine === "hand-over"
    ? `${method} needs the packet engine; accepted sockets are handed to a receiver on this host, so answers bypass the director`
    : `${method} needs the packet engine; the ${engine} engine relays over sockets, so answers pass the director and the real server sees the director's address`;
}

/**
 * Holds every service to its `require: real`.
 *
 * @throws {SystemError} `EMULATION_REFUSED`
 */
export function refuseEmulation({ services, packet }: Config, engines: Engines): void {
  for (const service of services) {
    if (service.require !== "real") continue;
    const { engine, reason } = engines.choiceFor(service);
    const emulation = emulationOf([service.mode], engine.name);
    if (emulation === "") continue;
    throw new SystemError(
      "EMULATION_REFUSED",
      `service "${service.name}" has require: real and would be emulated: ${emulation}; ` +
        `${packetObstacle(packet) || reason}; see: lvsd doctor -c CONFIG`,
      { service: service.name, engine: engine.name },
    );
  }
}
