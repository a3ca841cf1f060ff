/**
 * Names of hosts and services as this host knows them: its files, then its resolver.
 *
 * @module
 */
import { lookup, reverse } from "node:dns/promises";
import type { Clock } from "../clock.ts";
import { FileNames, type LookUp, type Names } from "../ipvsadm/names.ts";
import { LIMITS } from "../limits.ts";
import { IpAddress } from "../net/address.ts";

/** Files of names on a Unix host. */
const HOSTS = "/etc/hosts";
const SERVICES = "/etc/services";

/** Reads the files anew for each command, as the C library does. */
export async function systemNames(clock: Clock): Promise<Names> {
  const [hosts, services] = await Promise.all([HOSTS, SERVICES].map(readOrNothing));
  return new FileNames(hosts ?? "", services ?? "", new Resolver(clock));
}

async function readOrNothing(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return "";
  }
}

/** The system's resolver, each answer kept for the length of one command, and not waited for long. */
class Resolver implements LookUp {
  readonly #clock: Clock;
  readonly #hosts = new Map<string, Promise<string | undefined>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  addressOf(host: string): Promise<IpAddress | undefined> {
    return this.#patiently(lookup(host, { family: 4 }).then(({ address }) => IpAddress.tryParse(address)));
  }

  hostOf(address: IpAddress): Promise<string | undefined> {
    const text = String(address);
    if (!this.#hosts.has(text) && this.#hosts.size >= LIMITS.toolLookUps) return Promise.resolve(undefined);
    const known = this.#hosts.get(text) ?? this.#patiently(reverse(text).then(([name]) => name));
    this.#hosts.set(text, known);
    return known;
  }

  /** Undefined when there is no answer, or none in time. */
  #patiently<Value>(answer: Promise<Value | undefined>): Promise<Value | undefined> {
    const late = Promise.withResolvers<undefined>();
    const timer = this.#clock.after(LIMITS.toolLookUpWaitMs, () => late.resolve(undefined));
    return Promise.race([answer.catch(() => undefined), late.promise]).finally(() => timer.cancel());
  }
}
