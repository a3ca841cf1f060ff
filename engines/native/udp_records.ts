/**
 * The session records of a worker, used over and over, and found by their clients.
 *
 * @module
 */
import { foldAddress, mixHash } from "../../director/chains.ts";
import { FlowMemory } from "../../net/flow.ts";
import { SESSION_KEY, type SessionService, UDP_STAGE, UdpSession } from "./udp_session.ts";
import type { Questions } from "./questions.ts";

const CHAINS_AT_FIRST = 256;

/** Grows to the most sessions there ever were at once. */
export class UdpRecords {
  readonly #all: UdpSession[] = [];
  readonly #free: UdpSession[] = [];
  readonly #leaving: UdpSession[] = [];
  readonly #flows = new FlowMemory();
  /** Secret of the hash, so that a stranger cannot fill one chain. */
  readonly #seed: number;
  #chains: (UdpSession | undefined)[] = new Array(CHAINS_AT_FIRST).fill(undefined);
  #entered = 0;

  readonly #admissions: Pick<Questions, "left">;

  constructor(seed: number, admissions: Pick<Questions, "left">) {
    this.#seed = seed;
    this.#admissions = admissions;
  }

  take(): UdpSession {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const session = new UdpSession(-1 - this.#all.length, this.#flows.make(), this.#admissions);
    this.#all.push(session);
    return session;
  }

  /** The record is free when this turn is over: until then somebody may be in the middle of it. */
  leave(session: UdpSession): void {
    this.#leaving.push(session);
  }

  turned(): void {
    if (this.#leaving.length === 0) return;
    for (const it of this.#leaving) this.#free.push(it);
    this.#leaving.length = 0;
  }

  /** @param id below 0 */
  get(id: number): UdpSession | undefined {
    return this.#all[-1 - id];
  }

  /** Those in use. */
  *live(): Generator<UdpSession> {
    for (const it of this.#all) if (it.stage !== UDP_STAGE.over) yield it;
  }

  find(service: SessionService, key: Uint32Array): UdpSession | undefined {
    let it = this.#chains[this.#chainOf(service, key)];
    while (it !== undefined && (it.service !== service || !isSameKey(it.key, key))) it = it.nextInChain;
    return it;
  }

  /** Lets a session be found by its service and key. */
  enter(session: UdpSession): void {
    if (session.service === undefined) return;
    if (this.#entered++ >= this.#chains.length) this.#grow();
    this.#push(session, this.#chainOf(session.service, session.key));
  }

  remove(session: UdpSession): void {
    if (session.service === undefined) return;
    const chain = this.#chainOf(session.service, session.key);
    let it = this.#chains[chain];
    if (it === session) this.#chains[chain] = session.nextInChain;
    else {
      while (it !== undefined && it.nextInChain !== session) it = it.nextInChain;
      // In one-packet mode a session that is only just judged has no place yet.
      if (it === undefined) return;
      it.nextInChain = session.nextInChain;
    }
    session.nextInChain = undefined;
    this.#entered--;
  }

  #push(session: UdpSession, chain: number): void {
    session.nextInChain = this.#chains[chain];
    this.#chains[chain] = session;
  }

  #grow(): void {
    const old = this.#chains;
    this.#chains = new Array(old.length * 2).fill(undefined);
    for (const first of old) {
      for (let it = first; it !== undefined;) {
        const next: UdpSession | undefined = it.nextInChain;
        if (it.service !== undefined) this.#push(it, this.#chainOf(it.service, it.key));
        it = next;
      }
    }
  }

  #chainOf({ slot }: SessionService, key: Uint32Array): number {
    const client = foldAddress(key[1] ?? 0, key[2] ?? 0, key[3] ?? 0, key[4] ?? 0);
    const asked = foldAddress(key[5] ?? 0, key[6] ?? 0, key[7] ?? 0, key[8] ?? 0);
    const { destination, port } = SESSION_KEY;
    const choice = (key[destination] ?? 0) ^ ((key[port] ?? 0) << 16);
    const hash = mixHash(this.#seed, client, key[0] ?? 0, slot);
    return mixHash(hash, asked, choice, 0) & (this.#chains.length - 1);
  }
}

function isSameKey(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < SESSION_KEY.words; i++) if (a[i] !== b[i]) return false;
  return true;
}
