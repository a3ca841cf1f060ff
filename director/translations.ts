/**
 * What a packet engine has to know of a connection before it can change packets.
 *
 * @module
 */
import { FORWARDING, type Translation } from "../modes/translation.ts";
import type { Flow } from "../net/flow.ts";
import type { ConnectionTable } from "./connections.ts";
import type { DestinationTable } from "./destinations.ts";
import { ENTRY, ENTRY_WORDS } from "./entry_layout.ts";
import { DESTINATION, DESTINATION_WORDS, ENTRY_FLAG } from "./layout.ts";
import type { ServiceTable } from "./services.ts";
import type { Store } from "./store.ts";
import type { Verdict } from "./verdict.ts";

/** Where it is read from. */
export interface TranslationParts {
  readonly store: Store;
  readonly services: ServiceTable;
  readonly destinations: DestinationTable;
  readonly table: ConnectionTable;
}

/**
 * Fills `into` for a flow that a verdict of this moment forwards. A one-packet connection has no entry: then flow and
 * destination say all there is.
 */
export function readTranslation(
  { store, destinations, table }: TranslationParts,
  flow: Flow,
  verdict: Verdict,
  into: Translation,
): void {
  const row = table.slotOf(verdict.entry);
  const slot = destinations.slotOf(verdict.destination);
  const base = slot * DESTINATION_WORDS;
  const from = row * ENTRY_WORDS;
  const words = store.destinations;
  into.family = flow.family;
  into.destinationPort = verdict.destinationPort;
  into.virtualPort = row === 0 ? flow.virtualPort : (table.words[from + ENTRY.ports] ?? 0) & 0xffff;
  const flags = row === 0 ? words[base + DESTINATION.entryFlags] ?? 0 : table.words[from + ENTRY.flags] ?? 0;
  into.method = slot === 0 ? FORWARDING.bypass : flags & ENTRY_FLAG.methodMask;
  into.tunnel = words[base + DESTINATION.tunnel] ?? 0;
  into.destinationFamily = slot === 0 ? flow.family : words[base + DESTINATION.family] === 6 ? 6 : 4;
  for (let i = 0; i < 4; i++) {
    into.virtual[i] = row === 0 ? flow.virtual[i] ?? 0 : table.words[from + ENTRY.virtual + i] ?? 0;
    into.destination[i] = slot === 0 ? flow.virtual[i] ?? 0 : words[base + DESTINATION.address + i] ?? 0;
  }
}

/**
 * The tunnel word (see `packTunnel`) of a TUN destination with this address, for errors about the tunnel itself; -1 when no
 * service has one.
 *
 * @param port UDP port of a GUE tunnel, 0 for the others
 */
export function findTunnel(
  { store, services, destinations }: TranslationParts,
  family: number,
  address: Uint32Array,
  type: number,
  port: number,
): number {
  const words = store.destinations;
  for (const service of services.slots()) {
    for (const handle of destinations.ofService(service)) {
      const base = destinations.slotOf(handle) * DESTINATION_WORDS;
      const tunnel = words[base + DESTINATION.tunnel] ?? 0;
      const isTunnel =
        ((words[base + DESTINATION.entryFlags] ?? 0) & ENTRY_FLAG.methodMask) === FORWARDING.tun &&
        (tunnel & 3) === type && tunnel >>> 16 === port && words[base + DESTINATION.family] === family;
      if (isTunnel && address.every((word, i) => words[base + DESTINATION.address + i] === (word | 0))) {
        return tunnel;
      }
    }
  }
  return -1;
}
