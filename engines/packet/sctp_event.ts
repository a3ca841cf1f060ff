/**
 * What an SCTP packet means to the state machine: the type of its first chunk.
 *
 * @module
 */
import { SCTP_EVENT } from "../../director/sctp_states.ts";
import { get16 } from "../../packet/bytes.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { SCTP_BYTES } from "../../packet/transport.ts";

const CHUNK = { init: 1, initAck: 2, abort: 6, cookieEcho: 10, cookieAck: 11 } as const;

const EVENT_BY_CHUNK: ReadonlyMap<number, number> = new Map([
  [CHUNK.init, SCTP_EVENT.init],
  [CHUNK.initAck, SCTP_EVENT.initAck],
  [CHUNK.abort, SCTP_EVENT.abort],
  [7, SCTP_EVENT.shutdown],
  [8, SCTP_EVENT.shutdownAck],
  [9, SCTP_EVENT.error],
  [CHUNK.cookieEcho, SCTP_EVENT.cookieEcho],
  [CHUNK.cookieAck, SCTP_EVENT.cookieAck],
  [14, SCTP_EVENT.shutdownComplete],
]);

/** Whether there is a first chunk to tell by what the packet means. */
export function hasSctpChunk({ transport, end }: IpPacket): boolean {
  return transport + SCTP_BYTES + 4 <= end;
}

/** One of `SCTP_EVENT`. */
export function sctpEventOf(packet: IpPacket): number {
  const { bytes, transport, end } = packet;
  const first = transport + SCTP_BYTES;
  if (!hasSctpChunk(packet)) return SCTP_EVENT.data;
  const type = bytes[first] ?? 0;
  if (type === CHUNK.cookieEcho || type === CHUNK.cookieAck) {
    // Chunks are padded to 4 bytes.
    const second = first + ((Math.max(4, get16(bytes, first + 2)) + 3) & ~3);
    if (second + 4 <= end && bytes[second] === CHUNK.abort) return SCTP_EVENT.abort;
  }
  return EVENT_BY_CHUNK.get(type) ?? SCTP_EVENT.data;
}
