/**
 * Settings that were asked for and do nothing here.
 *
 * @module
 */
import type { ServiceConfig } from "../config/model.ts";
import type { Engine, NotInForce } from "../engines/engine.ts";

/**
 * Those of one service.
 *
 * @param found what its engine found out when it opened the listeners
 */
export function settingsNotInForce(
  { tcp }: Pick<ServiceConfig, "tcp">,
  engine: Engine["name"],
  found: readonly NotInForce[],
): NotInForce[] {
  if (engine === "native") return [...new Map(found.map((it) => [it.setting, it])).values()];
  const settings = Object.keys(tcp ?? {}).length === 0 ? [] : ["tcp"];
  return settings.map((setting) => ({ setting, reason: "only the native engine sets options of sockets" }));
}
