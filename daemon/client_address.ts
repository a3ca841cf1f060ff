/**
 * Services with `clientAddress: transparent` where it cannot be: better not at all than with another address in the real
 * server's log.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import { SystemError } from "../errors.ts";
import { Libc } from "../sys/libc.ts";
import { SOCKET } from "../sys/socket_numbers.ts";
import { Sockets } from "../sys/sockets.ts";
import type { Engines } from "./engines.ts";

/** @throws {SystemError} `TRANSPARENT_REFUSED` */
export function refuseTransparent({ services }: Config, engines: Pick<Engines, "choiceFor">): void {
  for (const service of services) {
    if (service.clientAddress !== "transparent") continue;
    const { engine, reason } = engines.choiceFor(service);
    const why = engine.name !== "native"
      ? `the ${engine.name} engine cannot (${reason})`
      : mayBeForeign()
      ? ""
      : "this process lacks CAP_NET_ADMIN or CAP_NET_RAW";
    if (why === "") continue;
    throw new SystemError(
      "TRANSPARENT_REFUSED",
      `service "${service.name}" has clientAddress: transparent and cannot connect from its clients' addresses: ${why}; ` +
        "see: lvsd doctor -c CONFIG, or write clientAddress: proxy-v2",
      { service: service.name, engine: engine.name },
    );
  }
}

/** Whether a socket of this process may have an address that is not of this host. The kernel is asked, not the list of capabilities. */
function mayBeForeign(): boolean {
  using libc = Libc.open();
  const sockets = new Sockets(libc);
  const descriptor = sockets.open(4, SOCKET.stream);
  if (descriptor < 0) return false;
  const result = sockets.bindForeign(descriptor, 4, DOCUMENTATION_ADDRESS, 0);
  sockets.close(descriptor);
  return result >= 0;
}

/** 192.0.2.1, which is nobody's (RFC 5737). */
const DOCUMENTATION_ADDRESS = Uint32Array.of(0xc0000201, 0, 0, 0);
