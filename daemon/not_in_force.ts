/**
 * Settings that were asked for and do nothing here.
 *
 * @module
 */
import type { ServiceConfig } from "../config/model.ts";
import type { Engine, NotInForce } from "../engines/engine.ts";

/** What an engine can be asked for in vain. */
type Asked = Pick<ServiceConfig, "tcp" | "maxConnections" | "whenFull">;

/**
 * Those of one service.
 *
 * @param found what its engine found out when it opened the listeners
 */
export function settingsNotInForce(
  { tcp = {}, maxConnections, whenFull }: Asked,
  engine: Engine["name"],
  found: readonly NotInForce[],
): NotInForce[] {
  const all = [...found];
  if (engine !== "native" && Object.keys(tcp).length > 0) {
    all.push({ setting: "tcp", reason: "only the native engine sets options of sockets" });
  }
  if (maxConnections !== undefined && engine === "packet") {
    all.push({
      setting: "maxConnections",
      reason: "packets are forwarded; upperThreshold bounds a destination",
    });
  }
  if (maxConnections !== undefined && engine === "hand-over" && whenFull === "queue") {
    all.push({ setting: "whenFull: queue", reason: "a socket to hand over cannot wait here; it is refused" });
  }
  // Several listeners of one service say the same.
  return [...new Map(all.map((it) => [it.setting, it])).values()];
}
