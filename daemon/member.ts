/**
 * One configured destination at run time: its address, its place in the director, its health.
 *
 * @module
 */
import type { DestinationConfig, ForwardingMethodName } from "../config/model.ts";
import { destinationSpecification } from "../config/specification.ts";
import type { Director } from "../director/director.ts";
import { packTunnel, PLAIN_TUNNEL } from "../modes/tunnel.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { formatEndpoint, isNamed } from "../net/endpoint.ts";
import type { Membership } from "./pool.ts";

/** The director does not hold it. */
const ABSENT = -1;

/** One configured destination of one virtual service. */
export class Member {
  readonly key: string;
  config: DestinationConfig;
  /** Undefined while the host name has no address. */
  endpoint: Endpoint | undefined;
  /** The health monitor's word; true where nothing is checked. */
  up: boolean;
  /** One of our own listeners. */
  loop = false;
  /** An earlier destination of the service has the same address. */
  duplicate = false;
  /** Handle in the director, or -1. */
  handle = ABSENT;
  #held:
    | { endpoint: Endpoint; config: DestinationConfig; method: ForwardingMethodName; weight: number }
    | undefined;

  constructor(config: DestinationConfig, up: boolean) {
    this.key = formatEndpoint(config.endpoint);
    this.config = config;
    this.up = up;
    this.endpoint = isNamed(config.endpoint) ? undefined : config.endpoint;
  }

  get effectiveWeight(): number {
    return this.#held?.weight ?? 0;
  }

  /**
   * Gives up the place in the director that the pool took away, or that its old address has. Every member of a service
   * gives up before one takes a place: an address may go from one name to another.
   *
   * @returns the handle that left the director, or -1
   */
  giveUp(director: Director, wish: Membership, nowMs: number): number {
    if (this.#held === undefined || (wish.present && this.#held.endpoint === this.endpoint)) return ABSENT;
    return this.leave(director, nowMs);
  }

  /**
   * Makes the director hold what the pool decided, touching only what differs: an edit that changes nothing would still
   * move the cursors of wrr.
   */
  settle(
    director: Director,
    service: number,
    method: ForwardingMethodName,
    wish: Membership,
    nowMs: number,
  ): void {
    if (!wish.present || this.endpoint === undefined) return;
    if (this.#held === undefined) {
      this.handle = director.addDestination(
        service,
        destinationSpecification(this.config, this.endpoint, method),
        nowMs,
      );
      this.#held = { endpoint: this.endpoint, config: this.config, method, weight: this.config.weight };
    } else if (this.#held.method !== method || !sameSpecification(this.#held.config, this.config)) {
      director.editDestination(
        this.handle,
        destinationSpecification(this.config, this.endpoint, method),
        nowMs,
      );
      this.#held = { endpoint: this.endpoint, config: this.config, method, weight: this.config.weight };
    }
    if (this.#held.weight !== wish.effectiveWeight) {
      director.setWeight(this.handle, wish.effectiveWeight, nowMs);
      this.#held.weight = wish.effectiveWeight;
    }
  }

  /** Takes it out of the director; its connections stay as the kernel's do. */
  leave(director: Director, nowMs: number): number {
    const left = this.handle;
    if (this.#held !== undefined) director.deleteDestination(left, nowMs);
    this.#held = undefined;
    this.handle = ABSENT;
    return left;
  }
}

function sameSpecification(a: DestinationConfig, b: DestinationConfig): boolean {
  return a.weight === b.weight && a.upperThreshold === b.upperThreshold &&
    a.lowerThreshold === b.lowerThreshold && a.method === b.method &&
    packTunnel(a.tunnel ?? PLAIN_TUNNEL) === packTunnel(b.tunnel ?? PLAIN_TUNNEL);
}
