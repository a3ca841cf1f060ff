/**
 * Rows of the table from the director's views.
 *
 * @module
 */
import type { DestinationView, ServiceView } from "../director/views.ts";
import { maskWords } from "../net/prefix.ts";
import { familyOf } from "./order.ts";
import type { DestinationRow, ServiceRow } from "./table.ts";

const HOST_MASK = maskWords(4, 32)[0] ?? 0;
const HOST_LENGTH = 128;

/** One service; `destinations` in the kernel's order. */
export function serviceRow(view: ServiceView, destinations: readonly DestinationRow[]): ServiceRow {
  const { persistence, key } = view;
  const isIpv6 = familyOf(key) === 6;
  return {
    key,
    scheduler: view.scheduler,
    flags: view.flags,
    ...(persistence === undefined ? {} : { persistentSeconds: Math.round(persistence.timeoutMs / 1_000) }),
    netmask: isIpv6 ? persistence?.prefixLength ?? HOST_LENGTH : persistence?.mask[0] ?? HOST_MASK,
    onePacket: view.onePacket,
    persistenceEngine: view.persistenceEngine ?? "",
    totals: view.estimate.counters,
    rates: view.estimate.rates,
    destinations,
  };
}

/** One destination that the director holds. */
export function destinationRow(view: DestinationView): DestinationRow {
  return {
    address: view.address,
    port: view.port,
    method: view.method,
    weight: view.configuredWeight,
    effectiveWeight: view.weight,
    absent: false,
    upperThreshold: view.upperThreshold,
    lowerThreshold: view.lowerThreshold,
    tunnel: view.tunnel,
    activeConns: view.activeConns,
    inactiveConns: view.inactiveConns,
    persistentConns: view.persistentConns,
    totals: view.estimate.counters,
    rates: view.estimate.rates,
  };
}
