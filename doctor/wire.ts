/**
 * Questions on a segment: who answers for an address, and does the first packet of a client's connection come back. IPv4; they
 * need CAP_NET_RAW and leave nothing behind: the host resets what it did not open itself.
 *
 * @module
 */
import { LvsdError } from "../errors.ts";
import { FORWARDING, Translation } from "../modes/translation.ts";
import { encapsulate } from "../modes/tun_packet.ts";
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { TCP_FLAG } from "../net/flow.ts";
import { ARP, ARP_BYTES, ARP_OPERATION, arpOperation, arpSender, isArp, writeArp } from "../packet/arp.ts";
import { get32, put16, put32 } from "../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../packet/checksum.ts";
import { BROADCAST_MAC, EthernetHeader, ETHERTYPE, formatMac, writeEthernet } from "../packet/ethernet.ts";
import { IpPacket } from "../packet/ip_packet.ts";
import { FRAGMENT, IPV4, IPV4_BYTES, writeIpv4 } from "../packet/ipv4.ts";
import { IP_PROTOCOL, TCP, TCP_BYTES } from "../packet/transport.ts";
import { PacketLibrary } from "../sys/packet_library.ts";
import { FrameSender } from "../sys/frame_sender.ts";
import { OFFLOAD_BYTES } from "../sys/offload.ts";
import { PacketSocket } from "../sys/packet_socket.ts";
import type { KnockOutcome, KnockQuestion } from "./host.ts";

/** Neighbours answer within a round trip; this one is generous. */
const ANSWER_MS = 250;
/** A server that is just waking may need the second SYN. */
const KNOCKS = 3;
const MEMORY = { ringBytes: 1 << 20, queueBytes: 1 << 20 } as const;
const BATCH_FRAMES = 64;
/** In front of a packet: offload fields, Ethernet, and the largest outer headers (IPv6, UDP, GUE). */
const ROOM_BYTES = 128;
/** The port that knocks: below those that a host gives away by itself. */
const FROM_PORT = 31_999;
const TTL = 64;

/** One interface. */
export class Wire implements Disposable {
  readonly #library: PacketLibrary;
  readonly #socket: PacketSocket;
  readonly #sender: FrameSender;
  readonly #poll = new Uint8Array(8);
  readonly #header = new EthernetHeader();

  private constructor(library: PacketLibrary, socket: PacketSocket, sender: FrameSender) {
    this.#library = library;
    this.#sender = sender;
    this.#socket = socket;
    const view = new DataView(this.#poll.buffer);
    view.setInt32(0, socket.descriptor, true);
    view.setInt16(4, 1, true);
  }

  /** Undefined where packet sockets cannot be opened. */
  static open(link: string): Wire | undefined {
    let library: PacketLibrary | undefined;
    try {
      library = PacketLibrary.open();
      const sender = new FrameSender(library);
      return new Wire(library, PacketSocket.open(library, sender, link, MEMORY), sender);
    } catch (error) {
      library?.[Symbol.dispose]();
      if (error instanceof LvsdError) return undefined;
      throw error;
    }
  }

  /** Ethernet addresses of everybody who answers for an address. @param own `undefined`: the question has no sender (RFC 5227) */
  whoHas(target: IpAddress, own: IpAddress | undefined): string[] {
    const wanted = target.words[0] ?? 0;
    const bytes = new Uint8Array(ROOM_BYTES + ARP_BYTES);
    const sender = { mac: this.#socket.mac, address: own?.words[0] ?? 0 };
    writeArp(bytes, ROOM_BYTES, ARP_OPERATION.request, sender, { mac: undefined, address: wanted });
    this.#send(bytes, ROOM_BYTES, BROADCAST_MAC, ETHERTYPE.arp);
    const found = new Set<string>();
    this.#listen((frame, at, to, ethertype) => {
      if (ethertype !== ETHERTYPE.arp || !isArp(frame, at, to)) return false;
      if (arpOperation(frame, at) === ARP_OPERATION.reply && arpSender(frame, at) === wanted) {
        found.add(formatMac(frame, at + ARP.senderMac));
      }
      return false;
    });
    return [...found];
  }

  /** Sends a SYN as the director would. @param mac of the next hop */
  knock(question: KnockQuestion, own: IpAddress, mac: string): KnockOutcome {
    const hop = Uint8Array.from(mac.split(":"), (it) => parseInt(it, 16));
    const { virtual } = question;
    let outcome: KnockOutcome = "silent";
    for (let knocks = 0; knocks < KNOCKS && outcome === "silent"; knocks++) {
      const packet = synPacket(virtual, own);
      if (question.mode === "tun") encapsulate(packet, translationOf(question), outerOf(own));
      this.#send(packet.bytes, packet.at, hop, ETHERTYPE.ipv4);
      const heard = new IpPacket();
      this.#listen((frame, at, to, ethertype) => {
        if (
          ethertype !== ETHERTYPE.ipv4 || !heard.read(frame, at, to) || heard.protocol !== IP_PROTOCOL.tcp
        ) {
          return false;
        }
        const isAnswer = heard.sourcePort === virtual.port && heard.destinationPort === FROM_PORT &&
          get32(frame, at + IPV4.source) === virtual.address.words[0];
        if (!isAnswer) return false;
        outcome = (heard.tcpFlags & TCP_FLAG.rst) === 0 ? "answered" : "refused";
        return true;
      });
    }
    return outcome;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
    this.#library[Symbol.dispose]();
  }

  #send(bytes: Uint8Array, at: number, to: Uint8Array, ethertype: number): void {
    const from = writeEthernet(bytes, at, to, this.#socket.mac, ethertype, 0) - OFFLOAD_BYTES;
    this.#socket.send(bytes, from, bytes.length);
    this.#sender.flush();
  }

  /** Hands over frames until the time is up or one was the answer. */
  #listen(hear: (frame: Uint8Array, at: number, to: number, ethertype: number) => boolean): void {
    const endMs = performance.now() + ANSWER_MS;
    let isDone = false;
    for (;;) {
      this.#socket.drain((bytes, from, to) => {
        if (isDone || !this.#header.read(bytes, from, to)) return;
        isDone = hear(bytes, this.#header.payload, to, this.#header.ethertype);
      }, BATCH_FRAMES);
      const leftMs = endMs - performance.now();
      if (isDone || leftMs <= 0) return;
      this.#library.poll(this.#library.pointerOf(this.#poll), 1, Math.ceil(leftMs));
    }
  }
}

function synPacket({ address, port }: Endpoint, own: IpAddress): IpPacket {
  const bytes = new Uint8Array(ROOM_BYTES + IPV4_BYTES + TCP_BYTES);
  const at = ROOM_BYTES + IPV4_BYTES;
  put16(bytes, at + TCP.sourcePort, FROM_PORT);
  put16(bytes, at + TCP.destinationPort, port);
  put32(bytes, at + TCP.sequence, Math.trunc(performance.now() * 1_000) >>> 0);
  bytes[at + TCP.dataOffset] = (TCP_BYTES / 4) << 4;
  bytes[at + TCP.flags] = TCP_FLAG.syn;
  put16(bytes, at + TCP.checksum - 2, 0xffff);
  writeIpv4(bytes, ROOM_BYTES, {
    tos: 0,
    totalLength: IPV4_BYTES + TCP_BYTES,
    id: 0,
    fragment: FRAGMENT.dont,
    ttl: TTL,
    protocol: IP_PROTOCOL.tcp,
    source: own.words[0] ?? 0,
    destination: address.words[0] ?? 0,
  });
  const pseudo = pseudoHeaderSum(bytes, ROOM_BYTES + IPV4.source, 4, IP_PROTOCOL.tcp, TCP_BYTES);
  put16(bytes, at + TCP.checksum, checksumOf(bytes, at, bytes.length, pseudo));
  const packet = new IpPacket();
  packet.read(bytes, ROOM_BYTES, bytes.length);
  return packet;
}

function translationOf({ virtual, server, tunnel }: KnockQuestion): Translation {
  const translation = new Translation();
  translation.method = FORWARDING.tun;
  translation.virtual.set(virtual.address.words);
  translation.destination.set(server.words);
  translation.tunnel = tunnel;
  return translation;
}

function outerOf(own: IpAddress): Parameters<typeof encapsulate>[2] {
  return { source: own.words, id: 1, copyDontFragment: true, flowHash: FROM_PORT };
}
