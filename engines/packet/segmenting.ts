/**
 * A TCP super-packet cut into the segments that it stands for (GSO), where nobody behind can do it: a tunnel's outer header
 * hides the inner one from the network card.
 *
 * @module
 */
import { finishChecksum } from "../../modes/nat_packet.ts";
import { get16, get32, put16, put32 } from "../../packet/bytes.ts";
import { IPV4, sealIpv4 } from "../../packet/ipv4.ts";
import { IPV6, IPV6_BYTES } from "../../packet/ipv6.ts";
import { IP_PROTOCOL, TCP, UDP } from "../../packet/transport.ts";
import { HEADROOM_BYTES, Passage, segmentHeaderBytes } from "./passage.ts";

/** Only the last segment may carry them, and only the first. */
const LAST_ONLY = 0x01 | 0x08;
const FIRST_ONLY = 0x80;

/** Cuts up super-packets, one segment after the other in one buffer. */
export class Segmenter {
  readonly #buffer = new Uint8Array(65_536 + HEADROOM_BYTES);
  readonly #segment = new Passage();

  /** Calls `onSegment` with each whole segment, checksums finished; what it gets is used again for the next. */
  cut(passage: Passage, onSegment: (segment: Passage) => void): void {
    const { packet, segmentBytes } = passage;
    const { bytes, at, end, transport } = packet;
    const headers = transport - at + segmentHeaderBytes(packet);
    const payload = at + headers;
    for (let from = payload, index = 0; from < end; from += segmentBytes, index++) {
      const size = Math.min(segmentBytes, end - from);
      const buffer = this.#buffer;
      buffer.set(bytes.subarray(at, payload), HEADROOM_BYTES);
      buffer.set(bytes.subarray(from, from + size), HEADROOM_BYTES + headers);
      this.#adjust(passage, headers + size, from - payload, index, from + size >= end);
      onSegment(this.#segment);
    }
  }

  #adjust(passage: Passage, length: number, offset: number, index: number, isLast: boolean): void {
    const buffer = this.#buffer;
    const at = HEADROOM_BYTES;
    const { packet } = passage;
    const transport = at + packet.transport - packet.at;
    if (packet.family === 4) {
      put16(buffer, at + IPV4.totalLength, length);
      put16(buffer, at + IPV4.id, (get16(buffer, at + IPV4.id) + index) & 0xffff);
      sealIpv4(buffer, at);
    } else {
      put16(buffer, at + IPV6.payloadLength, length - IPV6_BYTES);
    }
    if (packet.protocol === IP_PROTOCOL.tcp) {
      put32(buffer, transport + TCP.sequence, get32(buffer, transport + TCP.sequence) + offset);
      let flags = buffer[transport + TCP.flags] ?? 0;
      if (!isLast) flags &= ~LAST_ONLY;
      if (index > 0) flags &= ~FIRST_ONLY;
      buffer[transport + TCP.flags] = flags;
    } else {
      put16(buffer, transport + UDP.length, length - (transport - at));
    }
    const segment = this.#segment;
    segment.begin(buffer, at, at + length, passage.interfaceIndex, false);
    segment.isLocal = passage.isLocal;
    segment.mark = passage.mark;
    segment.isPartial = false;
    segment.segmentBytes = 0;
    finishChecksum(segment.packet);
  }
}
