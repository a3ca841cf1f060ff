/**
 * Interfaces, the host's own addresses, and where a packet goes from here.
 *
 * @module
 */
import { type Family, IpAddress } from "../../net/address.ts";
import { maskWords, Prefix } from "../../net/prefix.ts";

/** An Ethernet interface, or one VLAN of it. */
export interface Link {
  /** Index of the system, above 0; a VLAN has its interface's. */
  readonly index: number;
  readonly name: string;
  /** The engine's own address on it. */
  readonly mac: Uint8Array;
  mtu: number;
  /** VLAN identifier, 0 for none. */
  readonly vlan: number;
  /** Whoever emits its frames takes super-packets in tunnels whole. */
  readonly carriesTrains?: boolean;
}

/** An address of the director. */
export interface LinkAddress {
  readonly link: Link;
  readonly address: IpAddress;
  /** Of the network that is reached directly; the full length for an address alone. */
  readonly prefixLength: number;
}

/** A route beside those of the addresses. */
export interface GatewayRoute {
  readonly prefix: Prefix;
  readonly link: Link;
  readonly gateway: IpAddress | undefined;
}

/** Where a packet goes. */
export interface Route {
  /** To the director's host itself. */
  readonly isLocal: boolean;
  readonly link: Link;
  /** Undefined: the destination itself is a neighbour. */
  readonly gateway: IpAddress | undefined;
  /** The director's address in that direction. */
  readonly source: IpAddress;
  readonly prefix: Prefix;
}

/** A route with what the search compares: for IPv4 one word under a mask. */
interface Entry {
  readonly route: Route;
  readonly family: Family;
  readonly word: number;
  readonly mask: number;
}

const LOOPBACK: readonly Prefix[] = [Prefix.parse("127.0.0.0/8"), Prefix.parse("::1")];

/** Routes of one director; the longest prefix wins, the local table goes first. */
export class Routes {
  #local: Entry[] = [];
  #remote: Entry[] = [];
  #routes: Route[] = [];

  /** Takes over addresses and routes; the first address of a link in a network is the one that speaks. */
  set(addresses: readonly LinkAddress[], routes: readonly GatewayRoute[]): void {
    const local = addresses.map(({ link, address }): Route => ({
      isLocal: true,
      link,
      gateway: undefined,
      source: address,
      prefix: new Prefix(address, address.family === 4 ? 32 : 128),
    }));
    const connected = addresses.flatMap(({ link, address, prefixLength }): Route[] =>
      prefixLength === (address.family === 4 ? 32 : 128) ? [] : [{
        isLocal: false,
        link,
        gateway: undefined,
        source: address,
        prefix: new Prefix(address, prefixLength),
      }]
    );
    const [first] = addresses;
    const loopback = first === undefined ? [] : LOOPBACK.map((prefix): Route => ({
      isLocal: true,
      link: first.link,
      gateway: undefined,
      source: prefix.address,
      prefix,
    }));
    this.#local = [...local, ...loopback].map(entryOf);
    this.#routes = [
      ...connected,
      ...routes.flatMap(({ prefix, link, gateway }): Route[] => {
        const source = sourceOn(addresses, link, prefix.address.family, gateway);
        return source === undefined ? [] : [{ isLocal: false, link, gateway, source, prefix }];
      }),
    ].sort((a, b) => b.prefix.length - a.prefix.length);
    this.#remote = this.#routes.map(entryOf);
  }

  /** The way to an address given as words; undefined when there is none. */
  find(family: Family, words: Uint32Array): Route | undefined {
    return this.findLocal(family, words) ?? this.findRemote(family, words);
  }

  findLocal(family: Family, words: Uint32Array): Route | undefined {
    return match(this.#local, family, words);
  }

  findRemote(family: Family, words: Uint32Array): Route | undefined {
    return match(this.#remote, family, words);
  }

  /** The director's address on a link, for speaking to a neighbour there. */
  addressOn(link: Link, family: Family, neighbour: Uint32Array): IpAddress | undefined {
    const direct = this.#routes.find((it) =>
      it.link === link && it.gateway === undefined && it.prefix.address.family === family &&
      it.prefix.containsWords(neighbour)
    );
    return (direct ?? this.#routes.find((it) => it.link === link && it.prefix.address.family === family))
      ?.source;
  }
}

function entryOf(route: Route): Entry {
  const { address, length } = route.prefix;
  return {
    route,
    family: address.family,
    word: (address.words[0] ?? 0) | 0,
    mask: (maskWords(address.family, length)[0] ?? 0) | 0,
  };
}

function match(entries: readonly Entry[], family: Family, words: Uint32Array): Route | undefined {
  const word = words[0] ?? 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined || entry.family !== family || (word & entry.mask) !== entry.word) continue;
    if (family === 4 || entry.route.prefix.containsWords(words)) return entry.route;
  }
  return undefined;
}

function sourceOn(
  addresses: readonly LinkAddress[],
  link: Link,
  family: Family,
  gateway: IpAddress | undefined,
): IpAddress | undefined {
  const own = addresses.filter((it) => it.link === link && it.address.family === family);
  const near = own.find((it) =>
    gateway !== undefined && new Prefix(it.address, it.prefixLength).contains(gateway)
  );
  return (near ?? own[0])?.address;
}

/** Whether nobody may be told about an error in a packet to or from this address: broadcast, multicast, unspecified. */
export function isUnicast(family: Family, words: Uint32Array): boolean {
  const first = words[0] ?? 0;
  if (family === 6) return (first >>> 24) !== 0xff && words.some((word) => word !== 0);
  return first !== 0 && first !== 0xffff_ffff && (first >>> 28) !== 0xe;
}
