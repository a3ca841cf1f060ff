/**
 * `lvsd explain --packet`: the surroundings that a config tells of, and the page for people.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import { packetEngineAbsent } from "../daemon/engines.ts";
import type { PacketPath, Surroundings } from "../engines/packet/packet_path.ts";
import { packChains } from "../engines/packet/rule_transfer.ts";
import type { SystemInterface } from "../engines/packet/wiring.ts";
import type { World } from "../simulator/world.ts";
import { alignColumns, printable } from "./table.ts";

/** What a config cannot tell: every interface is an Ethernet of today. */
const ASSUMED_MTU = 1_500;

/** What a packet would meet after a start with this config. @throws {ValueError} `PACKET_ENGINE_ABSENT` */
export function surroundingsOf(config: Config, world: World): Surroundings {
  if (config.packet === undefined) {
    throw packetEngineAbsent('the config has no section "packet", which names interfaces');
  }
  const names = config.services.map((it) => it.name);
  const isOurs = new Set(
    config.services.filter(({ engine, mode }) =>
      engine === "packet" || (engine === "auto" && mode !== "nat")
    ),
  );
  const numbers = world.director.services().map(({ handle }) =>
    [handle, names.indexOf(world.serviceName(handle))] as const
  );
  const addresses = config.services.filter((it) => isOurs.has(it)).map(({ listen }) =>
    String(listen.address)
  );
  return {
    wiring: { ...config.packet, virtualAddresses: [...new Set(addresses)] },
    interfaces: Object.fromEntries(
      config.packet.interfaces.map(({ name }, i): [string, SystemInterface] => [
        name,
        { index: i + 1, mtu: ASSUMED_MTU, mac: Uint8Array.of(2, 0, 0, 0, 0, i + 1) },
      ]),
    ),
    rules: {
      chains: packChains(config.rules),
      services: names,
      numbers: numbers.filter(([, it]) => it >= 0),
    },
  };
}

/** The way, a line for each step and for what it met there. */
export function formatPath({ packet, steps }: PacketPath): string {
  const rows = steps.flatMap(({ at, text, met = [] }) => [
    [at, text],
    ...met.flatMap(({ priority, what, rules, verdict }) => [
      ["", `${String(priority).padStart(4)}  ${what}: ${verdict}`],
      ...rules.map((rule) => ["", `      ${rule}`]),
    ]),
  ]);
  const cells = rows.map((row) => row.map((text) => ({ text })));
  const lines = ["", `packet ${packet}`, ...alignColumns(cells).map((line) => `  ${line}`.trimEnd())];
  return lines.map((line) => `${printable(line)}\n`).join("");
}
