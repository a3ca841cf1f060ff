/**
 * Addresses of destinations as text, for engines that dial them.
 *
 * @module
 */
import { formatAddress } from "../net/address.ts";
import type { DestinationTable } from "./destinations.ts";
import { DESTINATION, DESTINATION_WORDS } from "./layout.ts";
import type { Store } from "./store.ts";

interface DestinationAddress {
  readonly handle: number;
  readonly host: string;
  readonly family: 4 | 6;
}

/** Each is written once. */
export class DestinationAddresses {
  readonly #store: Store;
  readonly #destinations: DestinationTable;
  readonly #written: (DestinationAddress | undefined)[] = [];

  constructor(store: Store, destinations: DestinationTable) {
    this.#store = store;
    this.#destinations = destinations;
  }

  /** @param destination handle */
  of(destination: number): DestinationAddress {
    const slot = this.#destinations.slotOf(destination);
    const known = this.#written[slot];
    if (known?.handle === destination) return known;
    const base = slot * DESTINATION_WORDS;
    const { destinations } = this.#store;
    const family = destinations[base + DESTINATION.family] === 6 ? 6 : 4;
    const at = base + DESTINATION.address;
    const words = Uint32Array.from(destinations.subarray(at, at + 4), (word) => word >>> 0);
    return this.#written[slot] = { handle: destination, host: formatAddress(family, words), family };
  }
}
