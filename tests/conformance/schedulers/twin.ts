/**
 * What the plain twins of the schedulers are, and what several of them need.
 *
 * @module
 */
import type { Server, Service } from "./service.ts";

/** A server with its handle. */
export type Seen = Server & { readonly handle: number };

/** Who asks for what, and when. */
export interface Call {
  readonly client: Uint32Array;
  readonly clientPort: number;
  readonly virtual: Uint32Array;
  readonly nowMs: number;
  /** Of lblc and lblcr. */
  readonly expirationMs: number;
  /** Any server that there ever was. */
  readonly server: (handle: number) => Seen;
}

/** The plain form of a scheduler. `list` is in list order, newest first. */
export interface Twin {
  /** After any change of the list or of a server; `gone` and `before`: the handle that left, and the list it left. */
  changed(list: readonly Seen[], gone?: number, before?: readonly Seen[]): void;
  pick(list: readonly Seen[], call: Call): number;
}

/** The service's list as a twin sees it. */
export function listOf(service: Service): Seen[] {
  return service.handles.map((handle) => ({ ...service.server(handle), handle }));
}

/** Eligible for a new connection. */
export const usable = (it: Seen): boolean => it.weight > 0 && !it.overloaded;
/** The overhead of kernel 6.1. */
export const load = (it: Seen): bigint => 256n * BigInt(it.activeConns) + BigInt(it.inactiveConns);
export const weight = (it: Seen): bigint => BigInt(it.weight);

export type Choose = (list: readonly Seen[]) => Seen | undefined;

/** The smallest load for its weight, the first of equals. */
export function pickSmallest(loadOf: (it: Seen) => bigint, weightOf: (it: Seen) => bigint): Choose {
  const isLess = (a: Seen, b: Seen) => loadOf(a) * weightOf(b) < loadOf(b) * weightOf(a);
  return (list) => {
    const candidates = list.filter(usable);
    return candidates.find((it) => !candidates.some((other) => isLess(other, it)));
  };
}
