/**
 * Destinations as a worker dials them.
 *
 * @module
 */
import type { TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import { type Address, addressOf } from "../../sys/libc.ts";
import { socketAddress } from "../../sys/socket_address.ts";
import type { Binding } from "../engine.ts";

/** Whether a connect would come back to this program. */
export const LOOP = { unknown: 0, no: 1, yes: 2 } as const;

/** Waits for the answer about a target. */
export interface TargetWaiter {
  targetKnown(target: Target): void;
}

/** One port of one destination; by a firewall mark it may be one of both protocols. */
export class Target {
  readonly destination: number;
  readonly protocol: Binding["protocol"];
  readonly host: string;
  readonly family: 4 | 6;
  readonly port: number;
  readonly words: Uint32Array;
  /** `sockaddr` and where it lies. */
  readonly name: Uint8Array<ArrayBuffer>;
  readonly nameAddress: Address;
  loop: typeof LOOP[keyof typeof LOOP] = LOOP.unknown;
  /** The question is on its way. */
  isAsked = false;
  waiting: TargetWaiter[] = [];

  constructor(
    destination: number,
    protocol: Binding["protocol"],
    host: string,
    family: 4 | 6,
    port: number,
  ) {
    this.destination = destination;
    this.protocol = protocol;
    this.host = host;
    this.family = family;
    this.port = port;
    const address = IpAddress.parse(host);
    this.words = address.words;
    this.name = socketAddress({ address, port });
    this.nameAddress = addressOf(this.name);
  }
}

/**
 * Made once for each destination. Only the main thread knows all listeners of this program, so the first connection to a
 * target waits for its answer; when listeners change, it is asked anew behind the old answer.
 */
export class Targets {
  readonly #traffic: TrafficEntrance;
  readonly #ask: (target: Target) => void;
  readonly #byDestination = new Map<number, Target[]>();
  /** Their answers are on the way; also those of destinations that left meanwhile, since connections wait for them. */
  readonly #asked: Target[] = [];

  constructor(traffic: TrafficEntrance, ask: (target: Target) => void) {
    this.#traffic = traffic;
    this.#ask = ask;
  }

  of(destination: number, port: number, protocol: Binding["protocol"]): Target {
    const ofDestination = this.#byDestination.get(destination);
    if (ofDestination === undefined) return this.#add(destination, port, protocol, []);
    for (const target of ofDestination) {
      if (target.port === port && target.protocol === protocol) return this.#fresh(target);
    }
    return this.#add(destination, port, protocol, ofDestination);
  }

  #add(
    destination: number,
    port: number,
    protocol: Binding["protocol"],
    ofDestination: Target[],
  ): Target {
    const { host, family } = this.#traffic.destinationAddress(destination);
    const target = new Target(destination, protocol, host, family, port);
    if (this.#byDestination.size >= LIMITS.destinations) this.#byDestination.clear();
    ofDestination.push(target);
    this.#byDestination.set(destination, ofDestination);
    return this.#fresh(target);
  }

  #fresh(target: Target): Target {
    if (!target.isAsked) {
      target.isAsked = true;
      this.#asked.push(target);
      this.#ask(target);
    }
    return target;
  }

  answered(destination: number, port: number, protocol: Binding["protocol"], isLoop: boolean): void {
    const index = this.#asked.findIndex((it) =>
      it.destination === destination && it.port === port && it.protocol === protocol
    );
    const [target] = index < 0 ? [] : this.#asked.splice(index, 1);
    if (target === undefined) return;
    target.loop = isLoop ? LOOP.yes : LOOP.no;
    for (const waiter of target.waiting.splice(0)) waiter.targetKnown(target);
  }

  /** Listeners came or went: the next connection to each target asks again. */
  listenersChanged(): void {
    for (const targets of this.#byDestination.values()) for (const it of targets) it.isAsked = false;
  }

  /** The destination left for good. */
  forget(destination: number): void {
    this.#byDestination.delete(destination);
  }
}
