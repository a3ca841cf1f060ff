/**
 * ARP for IPv4 over Ethernet (RFC 826).
 *
 * @module
 */
import { get16, get32, put16, put32 } from "./bytes.ts";
import { MAC_BYTES } from "./ethernet.ts";

export const ARP_BYTES = 28;
export const ARP_OPERATION = { request: 1, reply: 2 } as const;

/** Where the parts of an ARP message begin. */
export const ARP = {
  operation: 6,
  senderMac: 8,
  senderAddress: 14,
  targetMac: 18,
  targetAddress: 24,
} as const;

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;

/** Whether a message for IPv4 over Ethernet lies between `at` and `to`. */
export function isArp(bytes: Uint8Array, at: number, to: number): boolean {
  return to - at >= ARP_BYTES && get16(bytes, at) === HARDWARE_ETHERNET &&
    get16(bytes, at + 2) === PROTOCOL_IPV4 && bytes[at + 4] === MAC_BYTES && bytes[at + 5] === 4;
}

export function arpOperation(bytes: Uint8Array, at: number): number {
  return get16(bytes, at + ARP.operation);
}

export function arpSender(bytes: Uint8Array, at: number): number {
  return get32(bytes, at + ARP.senderAddress);
}

export function arpTarget(bytes: Uint8Array, at: number): number {
  return get32(bytes, at + ARP.targetAddress);
}

/** Writes a message at `at`; a request has no target MAC. */
export function writeArp(
  bytes: Uint8Array,
  at: number,
  operation: number,
  sender: { readonly mac: Uint8Array; readonly address: number },
  target: { readonly mac: Uint8Array | undefined; readonly address: number },
): void {
  put16(bytes, at, HARDWARE_ETHERNET);
  put16(bytes, at + 2, PROTOCOL_IPV4);
  bytes[at + 4] = MAC_BYTES;
  bytes[at + 5] = 4;
  put16(bytes, at + ARP.operation, operation);
  for (let i = 0; i < MAC_BYTES; i++) {
    bytes[at + ARP.senderMac + i] = sender.mac[i] ?? 0;
    bytes[at + ARP.targetMac + i] = target.mac?.[i] ?? 0;
  }
  put32(bytes, at + ARP.senderAddress, sender.address);
  put32(bytes, at + ARP.targetAddress, target.address);
}
