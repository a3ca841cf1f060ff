/**
 * Host names of destinations: resolved at the start, and again when the answer's time to live is over.
 *
 * @module
 */
import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import type { Clock, Timer } from "../clock.ts";
import { netRefusal, permissionError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { IpAddress } from "../net/address.ts";

/** Addresses of a name and for how long they may be believed. */
export interface NameAnswer {
  readonly addresses: readonly IpAddress[];
  readonly ttlMs: number;
}

/** Asks for a name; rejects when there is none. */
export type LookUpName = (host: string) => Promise<NameAnswer>;

/**
 * Looks a name up as every program of this host does (hosts file first), and asks the name servers for the time to live.
 * A name that only the hosts file knows has none: it is asked again after `LIMITS.hostsFileTtlMs`.
 */
export async function lookUpName(host: string): Promise<NameAnswer> {
  const refused = netRefusal(host);
  if (refused !== undefined) throw refused;
  const found = await dns.lookup(host, { all: true });
  const addresses = found.flatMap((it) => IpAddress.tryParse(it.address) ?? []);
  const records = isIP(host) === 0 ? await dns.resolve4(host, { ttl: true }).catch(() => []) : [];
  const ttls = records.map((it) => it.ttl * 1_000);
  return { addresses, ttlMs: ttls.length === 0 ? LIMITS.hostsFileTtlMs : Math.min(...ttls) };
}

interface Watch {
  readonly host: string;
  readonly changed: (address: IpAddress | undefined, problem: string) => void;
  current: IpAddress | undefined;
  /** The listener threw at `current`: it is told again. */
  refused: boolean;
  timer: Timer | undefined;
  stopped: boolean;
}

/** Keeps names resolved. A name that stops resolving keeps its last address: a name server's trouble is not the real server's. */
export class Resolver {
  readonly #clock: Clock;
  readonly #lookUp: LookUpName;
  readonly #onRefused: (host: string, error: unknown) => void;
  readonly #watches = new Set<Watch>();

  constructor(options: {
    clock: Clock;
    lookUp: LookUpName;
    /** Whoever follows `host` threw `error` at its new address, and is told again after `LIMITS.nameRetryMs`. */
    onRefused: (host: string, error: unknown) => void;
  }) {
    this.#clock = options.clock;
    this.#lookUp = options.lookUp;
    this.#onRefused = options.onRefused;
  }

  /**
   * Follows a name. `changed` is called with its first address, and again when that address leaves the answer; with
   * `undefined` and the problem when the very first look-up fails.
   *
   * @returns a function that ends it
   */
  follow(host: string, changed: (address: IpAddress | undefined, problem: string) => void): () => void {
    const watch: Watch = {
      host,
      changed,
      current: undefined,
      refused: false,
      timer: undefined,
      stopped: false,
    };
    this.#watches.add(watch);
    void this.#ask(watch);
    return () => this.#end(watch);
  }

  stop(): void {
    for (const watch of [...this.#watches]) this.#end(watch);
  }

  async #ask(watch: Watch): Promise<void> {
    let answer: NameAnswer | undefined;
    let problem = "the name has no address";
    try {
      answer = await this.#lookUp(watch.host);
    } catch (error) {
      problem = permissionError(error)?.message ?? messageOf(error);
    }
    if (watch.stopped) return;
    try {
      this.#take(watch, answer?.addresses ?? [], problem);
      watch.refused = false;
    } catch (error) {
      watch.refused = true;
      this.#onRefused(watch.host, error);
    }
    if (watch.stopped) return;
    const againMs = answer === undefined || watch.refused
      ? LIMITS.nameRetryMs
      : Math.min(Math.max(answer.ttlMs, LIMITS.nameTtlFloorMs), LIMITS.nameTtlCeilingMs);
    watch.timer = this.#clock.after(againMs, () => void this.#ask(watch));
  }

  /** @param problem why there are no addresses, when there are none */
  #take(watch: Watch, addresses: readonly IpAddress[], problem: string): void {
    const { current } = watch;
    const kept = current === undefined ? undefined : addresses.find((it) => it.equals(current));
    if (kept !== undefined && !watch.refused) return;
    // A name server's silence does not take back an address that was refused: it is told again.
    const next = kept ?? addresses[0] ?? (watch.refused ? current : undefined);
    if (next !== undefined) {
      watch.current = next;
      watch.changed(next, "");
    } else if (current === undefined) watch.changed(undefined, problem);
  }

  #end(watch: Watch): void {
    watch.stopped = true;
    watch.timer?.cancel();
    this.#watches.delete(watch);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
