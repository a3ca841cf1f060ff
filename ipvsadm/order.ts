/**
 * The orders in which services and destinations are listed: the kernel's hash table, and the tool's sort.
 *
 * @module
 */
import type { Family, IpAddress } from "../net/address.ts";
import type { ServiceKey } from "../director/specs.ts";

/** Buckets of the kernel's table of services. */
const BUCKETS = 256;
/** AF_INET and AF_INET6, which the sort compares. */
const FAMILY_NUMBER = { 4: 2, 6: 10 } as const;

/**
 * The order of `--nosort` and `/proc/net/ip_vs`: by bucket, newest first in each, marks behind addresses.
 *
 * @param rows in order of addition
 * @param salt what the kernel mixes in: a part of an address of its own, another in every network namespace
 */
export function kernelOrder<Row extends { readonly key: ServiceKey }>(rows: readonly Row[], salt = 0): Row[] {
  return rows.toReversed().map((row) => ({ row, place: kernelPlace(row.key, salt) }))
    .sort((a, b) => a.place - b.place).map(({ row }) => row);
}

/** Where a service stands: its bucket in the table of addresses, or behind it in the one of marks. */
export function kernelPlace(key: ServiceKey, salt: number): number {
  if ("mark" in key) return BUCKETS + (((key.mark ^ salt) & (BUCKETS - 1)) >>> 0);
  const { protocol, address: { words }, port } = key;
  const folded = (words[0] ?? 0) ^ (words[1] ?? 0) ^ (words[2] ?? 0) ^ (words[3] ?? 0);
  return ((protocol ^ folded ^ salt ^ (port >> 8) ^ port) & (BUCKETS - 1)) >>> 0;
}

/**
 * The order of a listing without `--nosort`: by mark, family, protocol, address, port, as differences of 32 bits that
 * wrap round. So marks above 2^31 come first and 224.0.0.1 before 10.0.0.1; and because such an order may go in a
 * circle, it matters that the C library sorts by merging.
 */
export function sortServices<Row extends { readonly key: ServiceKey }>(rows: readonly Row[]): Row[] {
  return mergeSort(rows, (a, b) => compareKeys(a.key, b.key));
}

/** By address, then port; which words of an address count, the left one says. */
export function sortDestinations<Row extends { readonly address: IpAddress; readonly port: number }>(
  rows: readonly Row[],
): Row[] {
  return mergeSort(rows, (a, b) => compareAddresses(a.address, b.address) || a.port - b.port);
}

function compareKeys(a: ServiceKey, b: ServiceKey): number {
  return ((markOf(a) - markOf(b)) | 0) ||
    FAMILY_NUMBER[familyOf(a)] - FAMILY_NUMBER[familyOf(b)] ||
    protocolOf(a) - protocolOf(b) ||
    ("mark" in a || "mark" in b ? 0 : compareAddresses(a.address, b.address) || a.port - b.port);
}

function compareAddresses(a: IpAddress, b: IpAddress): number {
  const words = a.family === 6 ? 4 : 1;
  for (let i = 0; i < words; i++) {
    const difference = ((a.words[i] ?? 0) - (b.words[i] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

function markOf(key: ServiceKey): number {
  return "mark" in key ? key.mark : 0;
}

export function familyOf(key: ServiceKey): Family {
  return "mark" in key ? key.family : key.address.family;
}

/** The kernel tells no protocol of a service by mark: the ports of its destinations have no names. */
export function protocolOf(key: ServiceKey): number {
  return "mark" in key ? 0 : key.protocol;
}

/** `qsort` of glibc before 2.37: halves, the first one smaller, and of equals the left one. */
function mergeSort<Row>(rows: readonly Row[], compare: (a: Row, b: Row) => number): Row[] {
  if (rows.length <= 1) return [...rows];
  const middle = rows.length >> 1;
  const [left, right] = [
    mergeSort(rows.slice(0, middle), compare),
    mergeSort(rows.slice(middle), compare),
  ];
  const merged: Row[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [a, b] = [left[i], right[j]];
    if (a === undefined || b === undefined) return [...merged, ...left.slice(i), ...right.slice(j)];
    if (compare(a, b) <= 0) {
      merged.push(a);
      i++;
    } else {
      merged.push(b);
      j++;
    }
  }
}

/** Whether two keys name the same service. */
export function sameKey(a: ServiceKey, b: ServiceKey): boolean {
  if ("mark" in a || "mark" in b) {
    return "mark" in a && "mark" in b && a.mark === b.mark && a.family === b.family;
  }
  return a.protocol === b.protocol && a.port === b.port && a.address.equals(b.address);
}
