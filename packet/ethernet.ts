/**
 * Ethernet II with VLAN tags.
 *
 * @module
 */
import { get16, put16 } from "./bytes.ts";

export const ETHERNET_BYTES = 14;
export const VLAN_TAG_BYTES = 4;
export const MAC_BYTES = 6;

export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  vlanOuter: 0x88a8,
} as const;

export const BROADCAST_MAC: Uint8Array = Uint8Array.of(255, 255, 255, 255, 255, 255);

/** A frame's Ethernet header. One object, refilled. */
export class EthernetHeader {
  /** Where the frame begins. */
  at = 0;
  ethertype = 0;
  /** VLAN identifier, 0 for none (and for priority tags). */
  vlan = 0;
  /** Where the payload begins. */
  payload = 0;

  /** Whether there is a whole header between `from` and `to`. */
  read(bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from < ETHERNET_BYTES) return false;
    this.at = from;
    this.vlan = 0;
    this.ethertype = get16(bytes, from + 12);
    this.payload = from + ETHERNET_BYTES;
    if (this.ethertype !== ETHERTYPE.vlan) return true;
    if (to - this.payload < VLAN_TAG_BYTES) return false;
    this.vlan = get16(bytes, this.payload) & 0xfff;
    this.ethertype = get16(bytes, this.payload + 2);
    this.payload += VLAN_TAG_BYTES;
    return true;
  }
}

/** Writes a header, with a tag when `vlan` is not 0, so that it ends at `end`; where it begins. */
export function writeEthernet(
  bytes: Uint8Array,
  end: number,
  destination: Uint8Array,
  source: Uint8Array,
  ethertype: number,
  vlan: number,
): number {
  const at = end - ETHERNET_BYTES - (vlan === 0 ? 0 : VLAN_TAG_BYTES);
  for (let i = 0; i < MAC_BYTES; i++) {
    bytes[at + i] = destination[i] ?? 0;
    bytes[at + MAC_BYTES + i] = source[i] ?? 0;
  }
  if (vlan !== 0) {
    put16(bytes, at + 12, ETHERTYPE.vlan);
    put16(bytes, at + 14, vlan);
  }
  put16(bytes, end - 2, ethertype);
  return at;
}

/** Whether the six bytes at `at` are this address. */
export function isMac(bytes: Uint8Array, at: number, mac: Uint8Array): boolean {
  for (let i = 0; i < MAC_BYTES; i++) if (bytes[at + i] !== mac[i]) return false;
  return true;
}

/** Whether the address at `at` is a group address (broadcast included). */
export function isGroupMac(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at] ?? 0) & 1) !== 0;
}

/** `02:00:00:00:00:01` as bytes; undefined when it is not an address. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(":"), (part) => parseInt(part, 16));
}

export function formatMac(mac: ArrayLike<number>, at = 0): string {
  return Array.from({ length: MAC_BYTES }, (_, i) => (mac[at + i] ?? 0).toString(16).padStart(2, "0")).join(
    ":",
  );
}
