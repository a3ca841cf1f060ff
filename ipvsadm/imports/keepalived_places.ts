/**
 * Where a virtual server of keepalived listens: one address, a mark, or the ranges of a group.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import type { Import } from "./imported.ts";
import type { Statement } from "./keepalived_syntax.ts";

/** Address and port of a listener, or a mark. */
export interface Place {
  readonly listen: string;
  readonly port: string;
  readonly mark?: number;
}

/** Addresses of one range at most; more is a mistake in the file. */
const MOST = 65_536n;

/** One place, or all of a group. */
export function placesOf(
  statement: Statement,
  groups: ReadonlyMap<string, Statement>,
  it: Import,
): Place[] {
  const { words: [, first = "", second = ""], file, line } = statement;
  if (first !== "group") return placeOf([first, second], statement, it);
  const group = groups.get(second);
  if (group === undefined) {
    it.warn(file, line, `virtual_server: there is no group ${second}; left out`);
    return [];
  }
  return group.block.flatMap((one) => placeOf(one.words, one, it));
}

function placeOf(words: readonly string[], { file, line }: Statement, it: Import): Place[] {
  const [first = "", port = ""] = words;
  if (first === "fwmark") {
    it.warn(file, line, `fwmark ${port}: name the addresses that feed it in listen, or add MARK rules`);
    return [{ listen: "off", port: "0", mark: Number(port) }];
  }
  if (port === "" || port === "0") {
    it.warn(
      file,
      line,
      `virtual_server: a config has no service on all ports of ${first}; left out, lvsd ipvsadm takes it`,
    );
    return [];
  }
  return addressesOf(first).map((listen) => ({ listen, port }));
}

/**
 * The addresses of a range; what is none comes back as it is.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(addressesOf("10.0.0.254-10.0.1.0"), ["10.0.0.254", "10.0.0.255", "10.0.1.0"]);
 * assert.deepEqual(addressesOf("10.0.0.1-2"), ["10.0.0.1", "10.0.0.2"]);
 * assert.deepEqual(addressesOf("2001:db8::8/127"), ["2001:db8::8", "2001:db8::9"]);
 * ```
 */
export function addressesOf(text: string): string[] {
  const [, from = text, by, to = ""] = /^([^-/]+)([-/])(.+)$/.exec(text) ?? [];
  const first = IpAddress.tryParse(from);
  if (first === undefined || by === undefined) return [text];
  const low = numberOf(first);
  // keepalived writes the last part alone, or the whole address.
  const whole = IpAddress.tryParse(to) ?? IpAddress.tryParse(from.replace(/[^.:]*$/, to));
  const free = (first.family === 4 ? 32 : 128) - Number(to);
  const high = by === "-"
    ? whole && numberOf(whole)
    : free >= 0
    ? low + (1n << BigInt(free)) - 1n
    : undefined;
  if (high === undefined || high < low || high - low >= MOST) return [text];
  return Array.from({ length: Number(high - low) + 1 }, (_, i) => addressOf(low + BigInt(i), first.family));
}

function numberOf({ family, words }: IpAddress): bigint {
  if (family === 4) return BigInt(words[0] ?? 0);
  return [...words].reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

function addressOf(number: bigint, family: 4 | 6): string {
  if (family === 4) return String(IpAddress.ipv4(Number(number)));
  const words = [96n, 64n, 32n, 0n].map((shift) => Number((number >> shift) & 0xffff_ffffn));
  return String(IpAddress.ipv6(Uint32Array.from(words)));
}
