/**
 * Live connections by source network, for `connectionsAbove`. Kept only while a rule asks for them.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import type { Family } from "../net/address.ts";
import type { SourceConnections } from "./packet_view.ts";
import type { SourcePrefix } from "./rule.ts";
import { SourceTable } from "./source_table.ts";

interface Source {
  readonly family: Family;
  readonly address: Uint32Array;
}

/** Counts connections from their beginning to their end, by the handles of their entries. */
export class ConnectionCounts implements SourceConnections {
  readonly #seed: number;
  readonly #live = new Map<number, Source>();
  #tables = new Map<number, SourceTable>();

  /** @param seed of the tables' hashes */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Whether anybody asks; while not, nothing needs to be told. */
  get isNeeded(): boolean {
    return this.#tables.size > 0;
  }

  /** Connections that are counted. */
  get size(): number {
    return this.#live.size;
  }

  /** Which networks will be asked for from now on. Connections that are counted stay counted. */
  countBy(sources: readonly SourcePrefix[]): void {
    const keys = sources.flatMap(({ ipv4, ipv6 }) => [tableKey(4, ipv4), tableKey(6, ipv6)]);
    this.#tables = new Map(keys.map((key) => [key, new SourceTable(LIMITS.connectionEntries, this.#seed)]));
    if (keys.length === 0) this.#live.clear();
    for (const { family, address } of this.#live.values()) this.#add(family, address, 1);
  }

  /** A connection began. One that is counted already is not counted twice. */
  opened(entry: number, family: Family, address: Uint32Array): void {
    if (!this.isNeeded || this.#live.has(entry)) return;
    const source = { family, address: address.slice() };
    this.#live.set(entry, source);
    this.#add(family, source.address, 1);
  }

  /** A connection ended; harmless for one that is not counted. */
  closed(entry: number): void {
    const source = this.#live.get(entry);
    if (source === undefined) return;
    this.#live.delete(entry);
    this.#add(source.family, source.address, -1);
  }

  count(family: Family, address: Uint32Array, prefixLength: number): number {
    const table = this.#tables.get(tableKey(family, prefixLength));
    const slot = table?.find(family, address, prefixLength) ?? -1;
    return table === undefined || slot < 0 ? 0 : table.values[slot * 2] ?? 0;
  }

  #add(family: Family, address: Uint32Array, by: 1 | -1): void {
    for (const [key, table] of this.#tables) {
      if (key >>> 8 !== family) continue;
      const bits = key & 0xff;
      let slot = table.find(family, address, bits);
      if (slot < 0) slot = table.add(family, address, bits);
      const count = (table.values[slot * 2] ?? 0) + by;
      table.values[slot * 2] = count;
      if (count === 0) table.remove(slot);
    }
  }
}

function tableKey(family: Family, bits: number): number {
  return family << 8 | bits;
}
