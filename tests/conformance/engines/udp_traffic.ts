/** What the UDP conformance suite needs behind an engine: a director, or something that stands in for one. */
import assert from "node:assert/strict";
import { ACTION, DROP_REASON, type TrafficEntrance, Verdict } from "../../../director/verdict.ts";
import type { Director } from "../../../director/director.ts";
import { IpAddress } from "../../../net/address.ts";
import { DIRECTION, type Direction, Flow, NO_ENTRY, PROTOCOL } from "../../../net/flow.ts";

/** What went through one service. */
export interface TrafficCounts {
  readonly inPackets: number;
  readonly inBytes: number;
  readonly outPackets: number;
  readonly outBytes: number;
}

/** A decider of the tests: one service, round robin over its destinations. */
export interface TestTraffic {
  readonly entrance: TrafficEntrance;
  /** The same, where it is a whole director. */
  readonly director?: Director;
  readonly service: number;
  /** @returns handle of the destination */
  addDestination(host: string, port: number): number;
  removeDestination(destination: number): void;
  /** Live connection entries. */
  readonly entries: number;
  readonly counts: TrafficCounts;
  /** Time comes to `nowMs`: entries without a datagram for {@linkcode ENTRY_MS} end. */
  advance(nowMs: number): void;
}

/** Life of a UDP entry without a datagram, as in IPVS. */
export const ENTRY_MS = 300_000;

/** Of how a decider is made. */
export interface TrafficWish {
  readonly onePacket: boolean;
  /** Threads besides this one that decide. */
  readonly workers: number;
  /** An entry ended by itself. */
  readonly expired: (entry: number) => void;
}

interface Entry {
  readonly handle: number;
  destination: number;
  usedMs: number;
}

/** Stands in for the director, with the same answers for UDP and an eye on how it is called. */
export class ScriptedTraffic implements TestTraffic, TrafficEntrance {
  readonly service = 7;
  readonly #destinations = new Map<number, { host: string; family: 4 | 6; port: number }>();
  readonly #entries = new Map<string, Entry>();
  readonly #verdict = new Verdict();
  #nextHandle = 1;
  #cursor = 0;
  readonly #wish: TrafficWish;
  readonly counts = { inPackets: 0, inBytes: 0, outPackets: 0, outBytes: 0 };

  constructor(wish: TrafficWish) {
    this.#wish = wish;
  }

  get entrance(): TrafficEntrance {
    return this;
  }

  get entries(): number {
    return this.#entries.size;
  }

  addDestination(host: string, port: number): number {
    const handle = this.#nextHandle++;
    this.#destinations.set(handle, { host, family: IpAddress.parse(host).family, port });
    return handle;
  }

  removeDestination(destination: number): void {
    this.#destinations.delete(destination);
  }

  advance(nowMs: number): void {
    for (const [key, entry] of this.#entries) {
      if (nowMs - entry.usedMs < ENTRY_MS) continue;
      this.#entries.delete(key);
      this.#wish.expired(entry.handle);
    }
  }

  segment(flow: Flow, direction: Direction, flags: number, bytes: number, nowMs: number): Verdict {
    assert.equal(flow.protocol, PROTOCOL.udp);
    assert.equal(flow.service, this.service);
    assert.equal(flow.packets, 1, "a datagram is a packet");
    assert.equal(flags, 0, "UDP has no flags");
    if (direction === DIRECTION.output) return this.#output(flow, bytes, nowMs);
    this.advance(nowMs);
    const entry = this.#entries.get(keyOf(flow)) ?? this.#schedule(flow, [], nowMs);
    if (entry === undefined) return this.#answer(ACTION.drop, DROP_REASON.noDestination);
    if (!this.#destinations.has(entry.destination)) {
      return this.#answer(ACTION.drop, DROP_REASON.destinationRemoved);
    }
    entry.usedMs = nowMs;
    this.counts.inPackets += flow.packets;
    this.counts.inBytes += bytes;
    return this.#answer(ACTION.forward, DROP_REASON.none, entry);
  }

  #output(flow: Flow, bytes: number, nowMs: number): Verdict {
    const entry = this.#entries.get(keyOf(flow));
    if (entry === undefined) return this.#answer(ACTION.accept, DROP_REASON.none);
    entry.usedMs = nowMs;
    this.counts.outPackets += flow.packets;
    this.counts.outBytes += bytes;
    return this.#answer(ACTION.forward, DROP_REASON.none, entry);
  }

  reschedule(flow: Flow, failed: readonly number[], nowMs: number): Verdict {
    const entry = this.#schedule(flow, failed, nowMs);
    return entry === undefined
      ? this.#answer(ACTION.drop, DROP_REASON.noDestination)
      : this.#answer(ACTION.forward, DROP_REASON.none, entry);
  }

  forget(flow: Flow, _nowMs: number): void {
    assert.ok(this.#entries.delete(keyOf(flow)), `no entry to forget: ${flow}`);
  }

  destinationAddress(destination: number): { readonly host: string; readonly family: 4 | 6 } {
    const found = this.#destinations.get(destination);
    assert.ok(found !== undefined, `destination ${destination} is gone`);
    return found;
  }

  #schedule(flow: Flow, failed: readonly number[], nowMs: number): Entry | undefined {
    const candidates = [...this.#destinations.keys()].filter((it) => !failed.includes(it));
    const destination = candidates[this.#cursor++ % candidates.length];
    if (destination === undefined) return undefined;
    if (this.#wish.onePacket) return { handle: NO_ENTRY, destination, usedMs: nowMs };
    const known = this.#entries.get(keyOf(flow));
    if (known !== undefined) {
      known.destination = destination;
      return known;
    }
    const entry = { handle: this.#nextHandle++, destination, usedMs: nowMs };
    this.#entries.set(keyOf(flow), entry);
    return entry;
  }

  #answer(action: Verdict["action"], reason: Verdict["reason"], entry?: Entry): Verdict {
    const verdict = this.#verdict;
    verdict.action = action;
    verdict.reason = reason;
    verdict.service = this.service;
    verdict.entry = entry?.handle ?? NO_ENTRY;
    verdict.destination = entry?.destination ?? -1;
    verdict.destinationPort = this.#destinations.get(verdict.destination)?.port ?? 0;
    return verdict;
  }
}

function keyOf(flow: Flow): string {
  return flow.toString();
}
