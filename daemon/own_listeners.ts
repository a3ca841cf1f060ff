/**
 * Knows which addresses are our own listeners, so that no destination sends traffic back to us for ever.
 *
 * @module
 */
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";

/** Addresses of this host's interfaces; passed in, because a test has none. */
export type LocalAddresses = () => readonly IpAddress[];

/** What the operating system says about this host. */
export function hostAddresses(): readonly IpAddress[] {
  return Deno.networkInterfaces().flatMap((it) => IpAddress.tryParse(it.address) ?? []);
}

/** Names of this host's interfaces; Deno does not tell their MTU, and Ethernet's is the usual one. */
export function hostInterfaces(): readonly { readonly name: string; readonly mtu: number }[] {
  return [...new Set(Deno.networkInterfaces().map((it) => it.name))].map((name) => ({ name, mtu: 1_500 }));
}

/** The addresses we listen on, by protocol. */
export class OwnListeners {
  readonly #localAddresses: LocalAddresses;
  readonly #bound = new Map<string, { protocol: string; endpoints: readonly Endpoint[] }>();

  constructor(localAddresses: LocalAddresses) {
    this.#localAddresses = localAddresses;
  }

  /** What a service listens on now; nothing takes it out. */
  set(service: string, protocol: string, endpoints: readonly Endpoint[]): void {
    if (endpoints.length === 0) this.#bound.delete(service);
    else this.#bound.set(service, { protocol, endpoints });
  }

  /** Whether a connect to `target` would reach one of our own listeners. */
  includes(protocol: string, target: Endpoint): boolean {
    for (const own of this.#bound.values()) {
      if (own.protocol === protocol && own.endpoints.some((it) => this.#reaches(it, target))) return true;
    }
    return false;
  }

  #reaches(own: Endpoint, target: Endpoint): boolean {
    if (own.port !== target.port) return false;
    return own.address.equals(target.address) ||
      (own.address.isUnspecified && this.#isLocal(target.address));
  }

  #isLocal(address: IpAddress): boolean {
    return address.isLoopback || address.isUnspecified ||
      this.#localAddresses().some((local) => local.equals(address));
  }
}
