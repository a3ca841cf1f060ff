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

/** The addresses we listen on, by protocol. */
export class OwnListeners {
  readonly #localAddresses: LocalAddresses;
  readonly #bound = new Map<string, { protocol: string; endpoint: Endpoint }>();

  constructor(localAddresses: LocalAddresses) {
    this.#localAddresses = localAddresses;
  }

  add(service: string, protocol: string, endpoint: Endpoint): void {
    this.#bound.set(service, { protocol, endpoint });
  }

  remove(service: string): void {
    this.#bound.delete(service);
  }

  /** Whether a connect to `target` would reach one of our own listeners. */
  includes(protocol: string, target: Endpoint): boolean {
    for (const own of this.#bound.values()) {
      if (own.protocol !== protocol || own.endpoint.port !== target.port) continue;
      if (own.endpoint.address.equals(target.address)) return true;
      if (own.endpoint.address.isUnspecified && this.#isLocal(target.address)) return true;
    }
    return false;
  }

  #isLocal(address: IpAddress): boolean {
    return address.isLoopback || address.isUnspecified ||
      this.#localAddresses().some((local) => local.equals(address));
  }
}
