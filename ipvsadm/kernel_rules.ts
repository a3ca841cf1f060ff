/**
 * What the kernel refuses, in its order, before it changes anything.
 *
 * @module
 */
import type { Director } from "../director/director.ts";
import type { DestinationSpec, ServiceKey, ServiceSpec } from "../director/specs.ts";
import { DirectorError } from "../errors.ts";
import { familyOf } from "./order.ts";
import type { DestinationAddress, DestinationRule, ServiceRule } from "./rules.ts";

/** The director's words for a rule. */
export function serviceSpec(rule: ServiceRule): ServiceSpec {
  const { key, scheduler, flags, onePacket, persistentSeconds, netmask, persistenceEngine } = rule;
  const timeoutMs = (persistentSeconds ?? 0) * 1_000;
  const persistence = familyOf(key) === 6 ? { timeoutMs, prefixLength: netmask } : { timeoutMs, netmask };
  return {
    key,
    scheduler,
    flags,
    onePacket,
    ...(persistentSeconds === undefined ? {} : { persistence }),
    ...(persistenceEngine === "" ? {} : { persistenceEngine }),
  };
}

/** The director's words for a rule. */
export function destinationSpec(rule: DestinationRule): DestinationSpec {
  const { address, port, method, weight, upperThreshold, lowerThreshold, tunnel } = rule;
  return { address, port, method, weight, upperThreshold, lowerThreshold, tunnel };
}

/** @throws {DirectorError} `EEXIST` */
export function refuseExisting(director: Director, key: ServiceKey): void {
  if (director.findService(key) !== undefined) {
    throw new DirectorError("EEXIST", "this virtual service already exists; edit it or delete it first");
  }
}

/** @throws {DirectorError} `ESRCH` */
export function requireService(director: Director, key: ServiceKey): number {
  const service = director.findService(key);
  if (service === undefined) {
    throw new DirectorError("ESRCH", "there is no such virtual service; ipvsadm -L lists them");
  }
  return service;
}

/** @throws {DirectorError} `ERANGE`, which comes before the search for the destination */
export function refuseThresholds({ upperThreshold, lowerThreshold }: DestinationRule): void {
  if (lowerThreshold > upperThreshold) {
    throw new DirectorError(
      "ERANGE",
      `lower threshold ${lowerThreshold} is higher than upper threshold ${upperThreshold}`,
    );
  }
}

/** @throws {DirectorError} `EINVAL` for addresses that are no host's to the kernel: 0.0.0.0/8 and ::ffff:0:0/96 */
export function refuseAddress({ address: { family, words }, address }: DestinationAddress): void {
  const [first = 0, second = 0, third = 0] = words;
  const isNoHost = family === 4 ? first >>> 24 === 0 : first === 0 && second === 0 && third === 0xffff;
  if (isNoHost) throw new DirectorError("EINVAL", `${address} is not the address of one host`);
}

/** @throws {DirectorError} `ENOENT` */
export function requireDestination(director: Director, service: number, address: DestinationAddress): number {
  const destination = director.findDestination(service, address);
  if (destination === undefined) {
    throw new DirectorError("ENOENT", `there is no destination ${address.address} port ${address.port} here`);
  }
  return destination;
}
