/**
 * The table of virtual services and the search in it.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { Family } from "../net/address.ts";
import { type Flow, PROTOCOL } from "../net/flow.ts";
import { maskWords } from "../net/prefix.ts";
import { Chains, foldAddress, mixHash } from "./chains.ts";
import { HEADER, SERVICE, SERVICE_FLAG, SERVICE_WORDS } from "./layout.ts";
import { engineNumber } from "./persistence_engines.ts";
import { slotMask, SlotPool } from "./slots.ts";
import type { ServiceKey, ServiceSpec } from "./specs.ts";
import type { Store } from "./store.ts";

const FTP_PORT = 21;
const FTP_DATA_PORT = 20;
/** net.ipv4.ip_unprivileged_port_start. */
const FIRST_UNPRIVILEGED_PORT = 1_024;
const NO_ADDRESS = new Uint32Array(4);

/** Rows of services, found by key. Only the control plane changes them; any thread may search. */
export class ServiceTable {
  readonly #store: Store;
  readonly #words: Int32Array;
  readonly #header: Int32Array;
  readonly #chains: Chains;
  readonly #pool: SlotPool;
  readonly #mask: number;
  readonly #hasFamily: Record<Family, boolean> = { 4: false, 6: false };
  #countedGeneration = -1;

  constructor(store: Store) {
    this.#store = store;
    this.#words = store.services;
    this.#header = store.header;
    this.#chains = new Chains(store.serviceChains, store.services, SERVICE_WORDS, SERVICE.hashLink);
    this.#mask = slotMask(store.capacities.services);
    this.#pool = new SlotPool(store.header, HEADER.serviceSlots, {
      words: store.services,
      stride: SERVICE_WORDS,
      capacity: store.capacities.services,
      handle: SERVICE.handle,
      link: SERVICE.slotLink,
    });
  }

  /** Row of a handle, 0 when the service is gone. */
  slotOf(handle: number): number {
    const slot = handle & this.#mask;
    return handle > 0 && this.#words[slot * SERVICE_WORDS + SERVICE.handle] === handle ? slot : 0;
  }

  /** Handle of the service for a flow, 0 for none: mark, then exact, then FTP, then port 0. */
  lookup(flow: Flow): number {
    if (!this.#store.shared) return this.#search(flow);
    for (;;) {
      const sequence = Atomics.load(this.#header, HEADER.serviceSequence);
      if ((sequence & 1) !== 0) continue;
      const handle = this.#search(flow);
      if (Atomics.load(this.#header, HEADER.serviceSequence) === sequence) return handle;
    }
  }

  /** Handle of the service for a flow's mark, 0 for none. */
  lookupMark(flow: Flow): number {
    if (!this.#store.shared) return this.#find(flow.family, 0, NO_ADDRESS, 0, flow.mark);
    for (;;) {
      const sequence = Atomics.load(this.#header, HEADER.serviceSequence);
      if ((sequence & 1) !== 0) continue;
      const handle = this.#find(flow.family, 0, NO_ADDRESS, 0, flow.mark);
      if (Atomics.load(this.#header, HEADER.serviceSequence) === sequence) return handle;
    }
  }

  /** Handle of the service with exactly this key, 0 for none. */
  find(key: ServiceKey): number {
    return "mark" in key
      ? this.#find(key.family, 0, NO_ADDRESS, 0, key.mark)
      : this.#find(key.address.family, key.protocol, key.address.words, key.port, 0);
  }

  /**
   * Makes the row of a service; its scheduler is not set yet.
   *
   * @throws {DirectorError} `EEXIST`, `ENOMEM`
   */
  add(spec: ServiceSpec): number {
    const { key } = spec;
    if (this.find(key) !== 0) {
      throw new DirectorError(
        "EEXIST",
        `virtual service ${keyText(key)} already exists; edit it or delete it first`,
      );
    }
    const slot = this.#pool.take();
    if (slot === 0) {
      const limit = this.#store.capacities.services;
      throw new DirectorError("ENOMEM", `there is room for ${limit} virtual services and all are taken`, {
        limit,
      });
    }
    this.#change(() => {
      const base = slot * SERVICE_WORDS;
      this.#words.fill(0, base + SERVICE.protocol, base + SERVICE_WORDS);
      this.#writeKey(base, key);
      this.write(slot, spec);
      this.#chains.push(slot, this.#hashOf(base));
      this.#linkInOrder(slot);
      this.#countSpecialPorts(base, 1);
    });
    return slot;
  }

  /** Flags and persistence; the key stays. */
  write(slot: number, spec: ServiceSpec): void {
    const base = slot * SERVICE_WORDS;
    const { persistence } = spec;
    let flags = spec.flags ?? 0;
    if (spec.onePacket) flags |= SERVICE_FLAG.onePacket;
    if (persistence !== undefined) flags |= SERVICE_FLAG.persistent;
    this.#words[base + SERVICE.flags] = flags;
    this.#words[base + SERVICE.persistenceEngine] = engineNumber(spec.persistenceEngine);
    this.#store.serviceTimes[slot] = persistence?.timeoutMs ?? 0;
    const family = this.#words[base + SERVICE.family] === 6 ? 6 : 4;
    const prefixLength = persistence === undefined
      ? (family === 6 ? 128 : 32)
      : "prefixLength" in persistence
      ? persistence.prefixLength
      : 32;
    const mask = persistence !== undefined && "netmask" in persistence
      ? [persistence.netmask, 0, 0, 0]
      : maskWords(family, prefixLength);
    this.#words.set(mask, base + SERVICE.mask);
    this.#words[base + SERVICE.prefixLength] = prefixLength;
  }

  /** Takes a service out of every list and frees its row. */
  remove(slot: number): void {
    this.#change(() => {
      this.#chains.remove(slot, this.#hashOf(slot * SERVICE_WORDS));
      this.#unlinkFromOrder(slot);
      this.#countSpecialPorts(slot * SERVICE_WORDS, -1);
      this.#pool.give(slot);
    });
  }

  /** Rows in order of addition. */
  *slots(): Generator<number> {
    let slot = this.#header[HEADER.firstService] ?? 0;
    while (slot !== 0) {
      yield slot;
      slot = this.#words[slot * SERVICE_WORDS + SERVICE.next] ?? 0;
    }
  }

  /** Whether there is a service of the family; read anew after a change. */
  has(family: Family): boolean {
    const { generation } = this.#store;
    if (generation !== this.#countedGeneration) {
      this.#countedGeneration = generation;
      this.#hasFamily[4] = this.#hasFamily[6] = false;
      for (const slot of this.slots()) {
        this.#hasFamily[this.#words[slot * SERVICE_WORDS + SERVICE.family] === 6 ? 6 : 4] = true;
      }
    }
    return this.#hasFamily[family];
  }

  #search(flow: Flow): number {
    const { family, protocol, virtual, virtualPort } = flow;
    if (flow.mark !== 0) {
      const marked = this.#find(family, 0, NO_ADDRESS, 0, flow.mark);
      if (marked !== 0) return marked;
    }
    const exact = this.#find(family, protocol, virtual, virtualPort, 0);
    if (exact !== 0) return exact;
    if (
      protocol === PROTOCOL.tcp && this.#header[HEADER.ftpServices] !== 0 &&
      (virtualPort === FTP_DATA_PORT || virtualPort >= FIRST_UNPRIVILEGED_PORT)
    ) {
      const ftp = this.#find(family, protocol, virtual, FTP_PORT, 0);
      if (ftp !== 0) return ftp;
    }
    return this.#header[HEADER.portZeroServices] === 0 ? 0 : this.#find(family, protocol, virtual, 0, 0);
  }

  #find(family: number, protocol: number, address: Uint32Array, port: number, mark: number): number {
    const words = this.#words;
    let slot = this.#chains.first(keyHash(family, protocol, address, port, mark));
    while (slot !== 0) {
      const base = slot * SERVICE_WORDS;
      if (
        words[base + SERVICE.family] === family && words[base + SERVICE.mark] === (mark | 0) &&
        (mark !== 0 || (words[base + SERVICE.protocol] === protocol && words[base + SERVICE.port] === port &&
          words[base + SERVICE.address] === ((address[0] ?? 0) | 0) &&
          words[base + SERVICE.address + 1] === ((address[1] ?? 0) | 0) &&
          words[base + SERVICE.address + 2] === ((address[2] ?? 0) | 0) &&
          words[base + SERVICE.address + 3] === ((address[3] ?? 0) | 0)))
      ) {
        return words[base + SERVICE.handle] ?? 0;
      }
      slot = this.#chains.next(slot);
    }
    return 0;
  }

  #hashOf(base: number): number {
    const words = this.#words;
    const mark = (words[base + SERVICE.mark] ?? 0) >>> 0;
    const address = Uint32Array.from(words.subarray(base + SERVICE.address, base + SERVICE.address + 4));
    const protocol = mark !== 0 ? 0 : words[base + SERVICE.protocol] ?? 0;
    return keyHash(
      words[base + SERVICE.family] ?? 0,
      protocol,
      address,
      words[base + SERVICE.port] ?? 0,
      mark,
    );
  }

  /** A reader that was at it meanwhile searches again. */
  #change(run: () => void): void {
    Atomics.add(this.#header, HEADER.serviceSequence, 1);
    try {
      run();
    } finally {
      Atomics.add(this.#header, HEADER.serviceSequence, 1);
    }
  }

  #writeKey(base: number, key: ServiceKey): void {
    if ("mark" in key) {
      this.#words[base + SERVICE.family] = key.family;
      this.#words[base + SERVICE.mark] = key.mark;
      this.#words[base + SERVICE.protocol] = PROTOCOL.tcp;
    } else {
      this.#words[base + SERVICE.family] = key.address.family;
      this.#words[base + SERVICE.protocol] = key.protocol;
      this.#words[base + SERVICE.port] = key.port;
      this.#words.set(key.address.words, base + SERVICE.address);
    }
  }

  #countSpecialPorts(base: number, by: number): void {
    const port = this.#words[base + SERVICE.port] ?? 0;
    if (port === 0) this.#header[HEADER.portZeroServices] = (this.#header[HEADER.portZeroServices] ?? 0) + by;
    if (port === FTP_PORT) this.#header[HEADER.ftpServices] = (this.#header[HEADER.ftpServices] ?? 0) + by;
  }

  #linkInOrder(slot: number): void {
    const last = this.#header[HEADER.lastService] ?? 0;
    this.#words[slot * SERVICE_WORDS + SERVICE.previous] = last;
    if (last === 0) this.#header[HEADER.firstService] = slot;
    else this.#words[last * SERVICE_WORDS + SERVICE.next] = slot;
    this.#header[HEADER.lastService] = slot;
  }

  #unlinkFromOrder(slot: number): void {
    const before = this.#words[slot * SERVICE_WORDS + SERVICE.previous] ?? 0;
    const after = this.#words[slot * SERVICE_WORDS + SERVICE.next] ?? 0;
    if (before === 0) this.#header[HEADER.firstService] = after;
    else this.#words[before * SERVICE_WORDS + SERVICE.next] = after;
    if (after === 0) this.#header[HEADER.lastService] = before;
    else this.#words[after * SERVICE_WORDS + SERVICE.previous] = before;
  }
}

/** Services come from the configuration, not from strangers: the hash needs no secret. */
function keyHash(family: number, protocol: number, address: Uint32Array, port: number, mark: number): number {
  const folded = foldAddress(address[0] ?? 0, address[1] ?? 0, address[2] ?? 0, address[3] ?? 0);
  return mixHash(0, folded, mark | 0, (port << 16) ^ (protocol << 8) ^ family);
}

/** The key as ipvsadm prints it. */
export function keyText(key: ServiceKey): string {
  if ("mark" in key) return `FWM ${key.mark}${key.family === 6 ? " IPv6" : ""}`;
  const name = Object.entries(PROTOCOL).find(([, number]) => number === key.protocol)?.[0] ??
    `${key.protocol}`;
  return `${name.toUpperCase()} ${formatEndpoint({ address: key.address, port: key.port })}`;
}
