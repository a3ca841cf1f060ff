/**
 * What the kernel refuses in a destination.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import type { DestinationSpec } from "./specs.ts";

const INT_MAX = 2 ** 31 - 1;

/**
 * Refuses what the kernel refuses.
 *
 * @throws {DirectorError} `ERANGE`, `EINVAL`
 */
export function validateDestination(spec: DestinationSpec, serviceFamily: number): void {
  const { weight, upperThreshold: upper = 0, lowerThreshold: lower = 0, address } = spec;
  const name = `destination ${address}`;
  validateWeight(weight, name);
  if (spec.effectiveWeight !== undefined) validateWeight(spec.effectiveWeight, name);
  if (lower > upper) {
    throw new DirectorError(
      "ERANGE",
      `${name}: lower threshold ${lower} is higher than upper threshold ${upper}`,
    );
  }
  if (!(Number.isInteger(upper) && upper >= 0 && upper <= INT_MAX && Number.isInteger(lower) && lower >= 0)) {
    throw new DirectorError("EINVAL", `${name}: thresholds are whole numbers from 0 to ${INT_MAX}`);
  }
  if (!Number.isInteger(spec.port) || spec.port < 0 || spec.port > 65_535) {
    throw new DirectorError("EINVAL", `${name}: ${spec.port} is not a port`);
  }
  const first = address.words[0] ?? 0;
  const isUnicast = address.family === 4
    ? first !== 0 && first !== 0xffffffff && (first >>> 28) !== 0xe
    : !address.isUnspecified && (first >>> 24) !== 0xff && (first >>> 22) !== 0x3fa;
  if (!isUnicast) {
    throw new DirectorError(
      "EINVAL",
      `${name}: a real server has a unicast address, for IPv6 not a link-local one`,
    );
  }
  if (spec.tunnel?.type === "gue" && spec.tunnel.port === 0) {
    throw new DirectorError("EINVAL", `${name}: a GUE tunnel needs the UDP port that it is sent to`);
  }
  if (address.family !== serviceFamily && spec.method !== "tun" && spec.allowMixedFamilies !== true) {
    throw new DirectorError(
      "EINVAL",
      `${name}: an IPv${address.family} destination in an IPv${serviceFamily} service needs method tun`,
    );
  }
}

/** @throws {DirectorError} `ERANGE` */
export function validateWeight(weight: number, name: string): void {
  if (!Number.isInteger(weight) || weight < 0 || weight > INT_MAX) {
    throw new DirectorError(
      "ERANGE",
      `${name}: weight ${weight} is not a whole number from 0 to ${INT_MAX}`,
      { weight },
    );
  }
}
