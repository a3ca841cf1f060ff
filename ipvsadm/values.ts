/**
 * Values as the C library reads them: `strtol`, `inet_aton`, `inet_pton`.
 *
 * @module
 */
import { IpAddress } from "../net/address.ts";

/**
 * A decimal whole number within a range, undefined for anything else. Leading blanks and a sign are allowed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(readNumber(" +010", 0, 99), 10);
 * assert.equal(readNumber("0x10", 0, 99), undefined);
 * ```
 */
export function readNumber(text: string, min: number, max: number): number | undefined {
  if (!/^[ \t\n\v\f\r]*[-+]?\d+$/.test(text)) return undefined;
  const number = Number(text.trim());
  return number >= min && number <= max ? number + 0 : undefined;
}

/** `atoi`: the digits at the beginning, 0 without any. */
export function leadingNumber(text: string): number {
  return Number(/^[ \t\n\v\f\r]*([-+]?\d+)/.exec(text)?.[1] ?? 0);
}

/**
 * An IPv4 address in any form of `inet_aton`: one to four parts, decimal, octal (010) or hexadecimal (0x10), the last
 * one filling what is left; text behind a blank is not looked at.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(readIpv4("10.99.8"), 0x0a630008);
 * assert.equal(readIpv4("010.0.0.1"), 0x08000001);
 * assert.equal(readIpv4("10.0.0.256"), undefined);
 * ```
 */
export function readIpv4(text: string): number | undefined {
  const [head = ""] = text.split(/[ \t\n\v\f\r]/, 1);
  const parts = head.split(".");
  if (parts.length > 4) return undefined;
  let word = 0;
  for (const [i, part] of parts.entries()) {
    const value = readPart(part);
    if (value === undefined) return undefined;
    const isLast = i === parts.length - 1;
    const room = isLast ? 256 ** (4 - i) : 256;
    if (value >= room) return undefined;
    word += isLast ? value : value * 256 ** (3 - i);
  }
  return word;
}

function readPart(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return parseInt(text.slice(2), 16);
  if (/^0[0-7]*$/.test(text)) return parseInt(text, 8);
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

/** An IPv6 address as `inet_pton` reads it: no zone, and an IPv4-mapped one stays IPv6. */
export function readIpv6(text: string): IpAddress | undefined {
  if (!text.includes(":")) return undefined;
  const address = IpAddress.tryParse(text);
  if (address?.family !== 4) return address;
  return new IpAddress(6, Uint32Array.of(0, 0, 0xffff, address.words[0] ?? 0));
}

/** `inet_pton` for IPv4: four decimal parts without leading zeros. */
export function readDottedQuad(text: string): IpAddress | undefined {
  return text.includes(":") ? undefined : IpAddress.tryParse(text);
}
