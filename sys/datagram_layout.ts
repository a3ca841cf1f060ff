/**
 * How datagrams lie in memory for `recvmmsg` and `sendmmsg`, on 64-bit Linux. Where glibc has a 64-bit length, musl has a
 * 32-bit one and padding: in little-endian order these are the same words.
 *
 * @module
 */

/** Largest datagram over either family, and the largest train that `UDP_GRO` puts together; whole pages. */
export const DATAGRAM_ROOM_BYTES = 65_536;

/** `struct mmsghdr`, in 32-bit words. */
export const MESSAGE_WORDS = 16;
export const MESSAGE_WORD = {
  name: 0,
  nameBytes: 2,
  pieces: 4,
  pieceCount: 6,
  control: 8,
  controlBytes: 10,
  length: 14,
} as const;

/** `struct iovec`. */
export const PIECE_WORDS = 4;
export const PIECE_WORD = { base: 0, bytes: 2 } as const;

/** `struct cmsghdr`: length, level and type, then the data. */
export const CONTROL_WORD = { bytes: 0, level: 2, type: 3, data: 4 } as const;
export const CONTROL_HEADER_BYTES = 16;

/** `struct in_pktinfo`: interface, the address to answer from, the address that was asked. */
export const PACKET_INFO = { bytes: 12, words: 4, interface: 0, source: 1 } as const;
/** `struct in6_pktinfo`: address, interface. */
export const PACKET_INFO6 = { bytes: 20, words: 6, address: 0, interface: 4 } as const;

/** Room for control messages of one datagram: packet info of either family and the size of a train. */
export const CONTROL_ROOM_WORDS = 24;

/** Words of a `sockaddr_in6`, rounded up so that each stays aligned. */
export const NAME_WORDS = 8;

/** Writes an address as a structure has it. */
export function putAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address >>> 0;
  words[at + 1] = address / 2 ** 32;
}

/** Bytes of a control message, padded to the next one's beginning. */
export function controlSpace(bytes: number): number {
  return CONTROL_HEADER_BYTES + ((bytes + 7) & ~7);
}
