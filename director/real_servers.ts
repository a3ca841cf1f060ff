/**
 * Which address and port belongs to a real server: asked about packets that no connection is known for.
 *
 * @module
 */
import type { Flow } from "../net/flow.ts";
import { foldAddress, mixHash } from "./chains.ts";
import type { DestinationTable } from "./destinations.ts";
import { DESTINATION, DESTINATION_WORDS, ENTRY_FLAG, METHOD, SERVICE, SERVICE_WORDS } from "./layout.ts";
import type { ServiceTable } from "./services.ts";
import type { Store } from "./store.ts";

/** The destinations of all services by address and port, read anew after a change of the control plane. */
export class RealServers {
  readonly #store: Store;
  readonly #services: ServiceTable;
  readonly #destinations: DestinationTable;
  readonly #rows = new Map<number, number[]>();
  #generation = -1;
  #mayCall = false;

  constructor(store: Store, services: ServiceTable, destinations: DestinationTable) {
    this.#store = store;
    this.#services = services;
    this.#destinations = destinations;
  }

  /** Whether a service has a persistence engine, so that its real servers may open connections themselves. */
  get mayCall(): boolean {
    this.#refresh();
    return this.#mayCall;
  }

  /** Row of a NAT destination that has the flow's virtual side as its own address and port; 0 for none. */
  find(flow: Flow): number {
    this.#refresh();
    const words = this.#store.destinations;
    for (const row of this.#rows.get(keyOf(flow.virtual, flow.virtualPort)) ?? []) {
      const base = row * DESTINATION_WORDS;
      const isSame = words[base + DESTINATION.port] === flow.virtualPort &&
        words[base + DESTINATION.family] === flow.family &&
        flow.virtual.every((word, i) => words[base + DESTINATION.address + i] === (word | 0));
      // A destination of a mark takes every protocol.
      const isProtocol = words[base + DESTINATION.serviceMark] !== 0 ||
        words[base + DESTINATION.serviceProtocol] === flow.protocol;
      const isNat = ((words[base + DESTINATION.entryFlags] ?? 0) & ENTRY_FLAG.methodMask) === METHOD.nat;
      if (isSame && isProtocol && isNat) return row;
    }
    return 0;
  }

  #refresh(): void {
    const { generation, destinations } = this.#store;
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#rows.clear();
    this.#mayCall = false;
    for (const service of this.#services.slots()) {
      const engine = this.#store.services[service * SERVICE_WORDS + SERVICE.persistenceEngine] ?? 0;
      this.#mayCall ||= engine !== 0;
      for (const handle of this.#destinations.ofService(service)) {
        const row = this.#destinations.slotOf(handle);
        const base = row * DESTINATION_WORDS;
        const address = destinations.subarray(base + DESTINATION.address, base + DESTINATION.address + 4);
        const key = keyOf(address, destinations[base + DESTINATION.port] ?? 0);
        const same = this.#rows.get(key);
        if (same === undefined) this.#rows.set(key, [row]);
        else same.push(row);
      }
    }
  }
}

function keyOf(address: Uint32Array | Int32Array, port: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = address;
  return mixHash(0, foldAddress(a, b, c, d), port, 0);
}
