/**
 * Who has which Ethernet address: asked for by ARP and neighbour discovery, kept while in use, asked for again when old.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { type Family, formatAddress } from "../../net/address.ts";
import type { Link } from "./links.ts";

/** The kernel's defaults of `net.ipv4.neigh.default`. */
const PROBES = 3;
/** A second, as the kernel's timer wheel rounds it up in steps of 32 ms: 1,013 to 1,028 ms were recorded at HZ=250. */
const RETRANSMIT_MS = 1_024;
const REACHABLE_MS = 30_000;
const DELAY_FIRST_PROBE_MS = 5_000;
/** Unused entries go after this. */
const FORGET_MS = 300_000;

/** A packet that waits for its neighbour. */
export interface WaitingPacket {
  /** With headroom for Ethernet. */
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
}

/** What resolving needs from outside. */
export interface NeighbourEvents {
  /** Asks for an address: everybody, or only the one that had it; `waiting` is the packet that has waited longest. */
  ask(
    link: Link,
    family: Family,
    address: Uint32Array,
    mac: Uint8Array | undefined,
    waiting: WaitingPacket | undefined,
  ): void;
  /** The neighbour is known: its packets go now. */
  send(link: Link, mac: Uint8Array, packet: WaitingPacket): void;
  /** Nobody answered. */
  fail(packet: WaitingPacket, nowMs: number): void;
}

interface Neighbour {
  readonly link: Link;
  readonly family: Family;
  readonly address: Uint32Array;
  mac: Uint8Array | undefined;
  readonly isPermanent: boolean;
  /** Last time it was heard. */
  confirmedMs: number;
  usedMs: number;
  /** When it is asked (again), 0 when it is not. */
  askMs: number;
  asked: number;
  waiting: WaitingPacket[];
}

/** The neighbours on all links. */
export class Neighbours {
  readonly #events: NeighbourEvents;
  readonly #byHash = new Map<number, Neighbour[]>();
  #count = 0;
  /** Neighbours that are being asked, or to be asked. */
  readonly #active = new Set<Neighbour>();

  constructor(events: NeighbourEvents) {
    this.#events = events;
  }

  /** A neighbour that needs no asking. */
  setPermanent(link: Link, family: Family, address: Uint32Array, mac: Uint8Array): void {
    this.#add(link, family, address, mac, true, 0);
  }

  /** Its Ethernet address, if it can be used at once. Use keeps it fresh. */
  find(link: Link, family: Family, address: Uint32Array, nowMs: number): Uint8Array | undefined {
    const neighbour = this.#get(link, family, address);
    if (neighbour?.mac === undefined) return undefined;
    neighbour.usedMs = nowMs;
    if (!neighbour.isPermanent && neighbour.askMs === 0 && nowMs - neighbour.confirmedMs > REACHABLE_MS) {
      neighbour.askMs = nowMs + DELAY_FIRST_PROBE_MS;
      this.#active.add(neighbour);
    }
    return neighbour.mac;
  }

  /** Keeps a packet until the neighbour answers. */
  wait(link: Link, family: Family, address: Uint32Array, packet: WaitingPacket, nowMs: number): void {
    const neighbour = this.#get(link, family, address) ??
      this.#add(link, family, address.slice(), undefined, false, nowMs);
    if (neighbour === undefined) return;
    neighbour.usedMs = nowMs;
    neighbour.waiting.push(packet);
    // The oldest gives way, as in the kernel.
    if (neighbour.waiting.length > LIMITS.neighbourQueuePackets) neighbour.waiting.shift();
    if (neighbour.asked === 0) this.#ask(neighbour, nowMs);
  }

  /** Somebody said that the address is here. `isNews`: take it in although nobody asked. */
  learn(
    link: Link,
    family: Family,
    address: Uint32Array,
    mac: Uint8Array,
    isNews: boolean,
    nowMs: number,
  ): void {
    const neighbour = this.#get(link, family, address) ??
      (isNews ? this.#add(link, family, address.slice(), undefined, false, nowMs) : undefined);
    if (neighbour === undefined || neighbour.isPermanent) return;
    neighbour.mac = mac.slice();
    neighbour.confirmedMs = nowMs;
    neighbour.asked = 0;
    neighbour.askMs = 0;
    this.#active.delete(neighbour);
    const waiting = neighbour.waiting;
    neighbour.waiting = [];
    for (const packet of waiting) this.#events.send(link, neighbour.mac, packet);
  }

  /** Asks again, gives up. */
  advance(nowMs: number): void {
    for (const neighbour of this.#active) {
      if (neighbour.askMs === 0 || neighbour.askMs > nowMs) continue;
      if (neighbour.asked < PROBES) this.#ask(neighbour, neighbour.askMs);
      else this.#giveUp(neighbour, nowMs);
    }
  }

  /** Those that answer, as text and bytes. */
  known(): { readonly link: Link; readonly address: string; readonly mac: Uint8Array }[] {
    return [...this.#byHash.values()].flat().flatMap(({ link, family, address, mac }) =>
      mac === undefined ? [] : [{ link, address: formatAddress(family, address), mac: mac.slice() }]
    );
  }

  /** When {@linkcode advance} has something to do; Infinity when nothing waits. */
  get nextMs(): number {
    let next = Infinity;
    for (const { askMs } of this.#active) if (askMs > 0 && askMs < next) next = askMs;
    return next;
  }

  #ask(neighbour: Neighbour, nowMs: number): void {
    const { link, family, address, mac } = neighbour;
    neighbour.asked++;
    neighbour.askMs = nowMs + RETRANSMIT_MS;
    this.#active.add(neighbour);
    this.#events.ask(link, family, address, mac, neighbour.waiting[0]);
  }

  #giveUp(neighbour: Neighbour, nowMs: number): void {
    this.#active.delete(neighbour);
    this.#remove(neighbour);
    for (const packet of neighbour.waiting) this.#events.fail(packet, nowMs);
  }

  #get(link: Link, family: Family, address: Uint32Array): Neighbour | undefined {
    const chain = this.#byHash.get(hashOf(link, address));
    if (chain === undefined) return undefined;
    for (let i = 0; i < chain.length; i++) {
      const it = chain[i];
      if (it !== undefined && it.link === link && it.family === family && isSame(it.address, address)) {
        return it;
      }
    }
    return undefined;
  }

  #add(
    link: Link,
    family: Family,
    address: Uint32Array,
    mac: Uint8Array | undefined,
    isPermanent: boolean,
    nowMs: number,
  ): Neighbour | undefined {
    if (this.#count >= LIMITS.neighbours && !this.#forgetOldest(nowMs)) return undefined;
    const neighbour: Neighbour = {
      link,
      family,
      address,
      mac,
      isPermanent,
      confirmedMs: nowMs,
      usedMs: nowMs,
      askMs: 0,
      asked: 0,
      waiting: [],
    };
    const hash = hashOf(link, address);
    const chain = this.#byHash.get(hash);
    if (chain === undefined) this.#byHash.set(hash, [neighbour]);
    else chain.push(neighbour);
    this.#count++;
    return neighbour;
  }

  #remove(neighbour: Neighbour): void {
    const hash = hashOf(neighbour.link, neighbour.address);
    const chain = this.#byHash.get(hash)?.filter((it) => it !== neighbour) ?? [];
    if (chain.length === 0) this.#byHash.delete(hash);
    else this.#byHash.set(hash, chain);
    this.#count--;
  }

  /** Room for one more: the longest unused neighbour goes, if it is unused. */
  #forgetOldest(nowMs: number): boolean {
    let oldest: Neighbour | undefined;
    for (const chain of this.#byHash.values()) {
      for (const it of chain) {
        if (!it.isPermanent && it.asked === 0 && it.usedMs < (oldest?.usedMs ?? Infinity)) oldest = it;
      }
    }
    if (oldest === undefined || nowMs - oldest.usedMs < FORGET_MS) return false;
    this.#active.delete(oldest);
    this.#remove(oldest);
    return true;
  }
}

function hashOf(link: Link, address: Uint32Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = address;
  return (a ^ b ^ c ^ d ^ (link.index << 16) ^ link.vlan) | 0;
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}
