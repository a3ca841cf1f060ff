/**
 * What stands in front of a packet that a network card, or who plays one, has something left to do to
 * (`struct virtio_net_hdr`).
 *
 * @module
 */

export const OFFLOAD_BYTES = 10;
/** Where the fields begin; those of two bytes are in the byte order of the machine. */
export const OFFLOAD = { flags: 0, type: 1, headerBytes: 2, segmentBytes: 4, start: 6, offset: 8 } as const;
export const OFFLOAD_FLAG = { needsChecksum: 1 } as const;
export const OFFLOAD_TYPE = { none: 0, tcp4: 1, udp: 3, tcp6: 4, udpSegments: 5, congestion: 0x80 } as const;

/** What is left to do. */
export interface Offload {
  /** Of {@linkcode OFFLOAD_TYPE}. */
  readonly type: number;
  /** Bytes in front of each segment's payload. */
  readonly headerBytes: number;
  /** Payload of each segment, 0 for one packet. */
  readonly segmentBytes: number;
  /** From where to sum, and where the checksum is, counted from there. */
  readonly start: number;
  readonly offset: number;
}

/** Writes an offload at `at`: a checksum to finish, and segments to cut if there are any. */
export function writeOffload(bytes: Uint8Array, at: number, offload: Offload): void {
  const { type, headerBytes, segmentBytes, start, offset } = offload;
  const isTrain = segmentBytes !== 0;
  bytes[at + OFFLOAD.flags] = OFFLOAD_FLAG.needsChecksum;
  bytes[at + OFFLOAD.type] = isTrain ? type : OFFLOAD_TYPE.none;
  putLittle(bytes, at + OFFLOAD.headerBytes, isTrain ? headerBytes : 0);
  putLittle(bytes, at + OFFLOAD.segmentBytes, segmentBytes);
  putLittle(bytes, at + OFFLOAD.start, start);
  putLittle(bytes, at + OFFLOAD.offset, offset);
}

/** Nothing is left to do. */
export function writeNoOffload(bytes: Uint8Array, at: number): void {
  bytes.fill(0, at, at + OFFLOAD_BYTES);
}

function putLittle(bytes: Uint8Array, at: number, value: number): void {
  // Both supported processors put the low byte first.
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}
