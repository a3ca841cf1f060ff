/**
 * Segments of one TCP stream that arrived side by side, given to the system as one super-packet, as a network card's driver
 * would (GRO): the system's own work is for each packet that it gets, not for each byte.
 *
 * @module
 */
import { get16, get32, put16 } from "../packet/bytes.ts";
import { foldSum, pseudoHeaderSum, WordSum } from "../packet/checksum.ts";
import type { IpPacket } from "../packet/ip_packet.ts";
import { IPV4, IPV4_BYTES, sealIpv4 } from "../packet/ipv4.ts";
import { IPV6, IPV6_BYTES } from "../packet/ipv6.ts";
import { IP_PROTOCOL, TCP, TCP_BYTES } from "../packet/transport.ts";
import { OFFLOAD_BYTES, OFFLOAD_TYPE, writeNoOffload, writeOffload } from "../sys/offload.ts";

const FLAG = { push: 0x08, acknowledge: 0x10 } as const;
/** What the length fields of IP can say. */
const LARGEST_PACKET = 65_535;
/** Pieces of one super-packet: 64 KiB in segments of 1,024 bytes. */
export const MOST_PIECES = 64;

/** Where packets go: in pieces of the memory that they arrived in, an offload before the first one. */
export interface PacketInlet {
  addPiece(from: number, to: number): void;
  inject(): boolean;
}

/** The segment that a super-packet begins with. */
interface Held {
  at: number;
  transport: number;
  payload: number;
  end: number;
  family: 4 | 6;
  /** Payload of each segment. */
  segmentBytes: number;
  /** Bytes of the packet so far. */
  length: number;
  nextSequence: number;
}

/** Puts segments together. */
export class Coalescer {
  readonly #bytes: Uint8Array;
  readonly #sum: WordSum;
  readonly #inlet: PacketInlet;
  readonly #mtu: number;
  readonly #onInjected: (packets: number, isTaken: boolean) => void;
  readonly #held: Held = {
    at: 0,
    transport: 0,
    payload: 0,
    end: 0,
    family: 4,
    segmentBytes: 0,
    length: 0,
    nextSequence: 0,
  };
  /** Segments that are held, 0 for none. */
  #count = 0;
  /** The last one was shorter, or wants to be seen at once. */
  #isComplete = false;

  /**
   * @param bytes where packets arrive, with room for an offload in front of each
   * @param mtu of the device that they come in by
   * @param onInjected is told how many packets the system took, or did not
   */
  constructor(
    bytes: Uint8Array<ArrayBuffer>,
    inlet: PacketInlet,
    mtu: number,
    onInjected: (packets: number, isTaken: boolean) => void,
  ) {
    this.#bytes = bytes;
    this.#sum = new WordSum(bytes.buffer);
    this.#inlet = inlet;
    this.#mtu = mtu;
    this.#onInjected = onInjected;
  }

  /** Takes a packet, which stays where it is until {@linkcode flush}. */
  take(packet: IpPacket): void {
    if (!isPlainTcp(packet)) return this.#pass(packet);
    const { bytes, transport, end, protocol } = packet;
    const field = get16(bytes, transport + TCP.checksum);
    const pseudo = pseudoHeaderSum(bytes, packet.addressesAt, packet.addressBytes, protocol, end - transport);
    const isUnfinished = field === foldSum(pseudo);
    if (isUnfinished && packet.length > this.#mtu) return this.#passUnfinished(packet);
    const payload = transport + headerBytes(packet);
    const isData = (packet.tcpFlags & ~FLAG.push) === FLAG.acknowledge && payload < end;
    if (!isUnfinished && !isData) return this.#pass(packet);
    const isIntact = foldSum(pseudo + this.#sum.of(transport, end)) === 0xffff;
    // One in 65,536 whole checksums looks as if it were not finished.
    if (isUnfinished && !isIntact) return this.#passUnfinished(packet);
    // What is put together is not looked at again, so what is damaged must not be.
    if (!isData || !isIntact) return this.#pass(packet);
    if (this.#count > 0 && this.#follows(packet, payload)) this.#append(packet, payload);
    else this.#hold(packet, payload);
  }

  /** Gives on what is held. */
  flush(): void {
    if (this.#count === 0) return;
    const { at, transport, payload, family, segmentBytes, length } = this.#held;
    const bytes = this.#bytes;
    if (this.#count === 1) {
      writeNoOffload(bytes, at - OFFLOAD_BYTES);
    } else {
      if (family === 4) {
        put16(bytes, at + IPV4.totalLength, length);
        sealIpv4(bytes, at);
      } else {
        put16(bytes, at + IPV6.payloadLength, length - IPV6_BYTES);
      }
      const [addresses, size] = family === 4 ? [IPV4.source, 4] : [IPV6.source, 16];
      const left = at + length - transport;
      const pseudo = pseudoHeaderSum(bytes, at + addresses, size, IP_PROTOCOL.tcp, left);
      put16(bytes, transport + TCP.checksum, foldSum(pseudo));
      putTcpOffload(bytes, at, transport, payload, family, segmentBytes);
    }
    this.#inject(this.#count);
    this.#count = 0;
  }

  #pass(packet: IpPacket): void {
    this.flush();
    writeNoOffload(packet.bytes, packet.at - OFFLOAD_BYTES);
    this.#inlet.addPiece(packet.at - OFFLOAD_BYTES, packet.end);
    this.#inject(1);
  }

  /**
   * Its checksum was left to a network card that never came: from the same host, or put together by the card's driver. Then it
   * may be a super-packet as well; what size its segments had nobody tells.
   */
  #passUnfinished(packet: IpPacket): void {
    this.flush();
    const { bytes, at, transport, end, family } = packet;
    const payload = transport + headerBytes(packet);
    const size = this.#mtu - (payload - at);
    putTcpOffload(bytes, at, transport, payload, family, end - payload > size ? size : 0);
    this.#inlet.addPiece(at - OFFLOAD_BYTES, end);
    this.#inject(1);
  }

  #hold(packet: IpPacket, payload: number): void {
    this.flush();
    const held = this.#held;
    held.at = packet.at;
    held.transport = packet.transport;
    held.payload = payload;
    held.end = packet.end;
    held.family = packet.family;
    held.segmentBytes = packet.end - payload;
    held.length = packet.length;
    held.nextSequence = (get32(packet.bytes, packet.transport + TCP.sequence) + held.segmentBytes) >>> 0;
    this.#count = 1;
    this.#isComplete = (packet.tcpFlags & FLAG.push) !== 0;
    this.#inlet.addPiece(packet.at - OFFLOAD_BYTES, packet.end);
  }

  #append({ bytes, transport, end, tcpFlags }: IpPacket, payload: number): void {
    const held = this.#held;
    const size = end - payload;
    held.length += size;
    held.nextSequence = (held.nextSequence + size) >>> 0;
    this.#count++;
    this.#inlet.addPiece(payload, end);
    this.#isComplete = size < held.segmentBytes || (tcpFlags & FLAG.push) !== 0;
    if ((tcpFlags & FLAG.push) !== 0) bytes[held.transport + TCP.flags] = bytes[transport + TCP.flags] ?? 0;
  }

  /** Whether a segment goes on where the held ones end, with the same headers but for what differs in each segment. */
  #follows({ bytes, at, transport, end, family }: IpPacket, payload: number): boolean {
    const held = this.#held;
    const size = end - payload;
    if (this.#isComplete || this.#count === MOST_PIECES || size > held.segmentBytes) return false;
    if (held.length + size > LARGEST_PACKET || family !== held.family) return false;
    if (payload - at !== held.payload - held.at) return false;
    if (get32(bytes, transport + TCP.sequence) !== held.nextSequence) return false;
    const [first, addresses] = family === 4 ? [IPV4.fragment, IPV4.source] : [IPV6.hopLimit - 1, IPV6.source];
    return bytes[at + 1] === bytes[held.at + 1] &&
      // Fragment and TTL, or next header and hop limit; then addresses and ports.
      this.#isSame(at + first, held.at + first, family === 4 ? 3 : 2) &&
      this.#isSame(at + addresses, held.at + addresses, transport + TCP.sequence - at - addresses) &&
      this.#isSame(transport + TCP.acknowledgement, held.transport + TCP.acknowledgement, 5) &&
      this.#isSame(transport + TCP_BYTES, held.transport + TCP_BYTES, payload - transport - TCP_BYTES);
  }

  #isSame(a: number, b: number, length: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
    return true;
  }

  #inject(packets: number): void {
    this.#onInjected(packets, this.#inlet.inject());
  }
}

function putTcpOffload(
  bytes: Uint8Array,
  at: number,
  transport: number,
  payload: number,
  family: 4 | 6,
  segmentBytes: number,
): void {
  writeOffload(bytes, at - OFFLOAD_BYTES, {
    type: family === 4 ? OFFLOAD_TYPE.tcp4 : OFFLOAD_TYPE.tcp6,
    headerBytes: payload - at,
    segmentBytes,
    start: transport - at,
    offset: TCP.checksum,
  });
}

/** TCP right behind an IP header without options. */
function isPlainTcp({ protocol, hasTransport, isFragment, family, at, transport }: IpPacket): boolean {
  return protocol === IP_PROTOCOL.tcp && hasTransport && !isFragment &&
    transport - at === (family === 4 ? IPV4_BYTES : IPV6_BYTES);
}

function headerBytes({ bytes, transport, end }: IpPacket): number {
  return Math.min(((bytes[transport + TCP.dataOffset] ?? 0) >>> 4) * 4, end - transport);
}
