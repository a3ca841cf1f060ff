/**
 * A packet director on two wires: a client's side and a side of real servers.
 */
import assert from "node:assert/strict";
import { Director } from "../../../../director/director.ts";
import type { DestinationSpec } from "../../../../director/specs.ts";
import { Store } from "../../../../director/store.ts";
import type { Link } from "../../../../engines/packet/links.ts";
import { PacketDirector } from "../../../../engines/packet/packet_director.ts";
import { HEADROOM_BYTES } from "../../../../engines/packet/passage.ts";
import { Hooks } from "../../../../hooks/hooks.ts";
import { IpAddress } from "../../../../net/address.ts";
import { PROTOCOL } from "../../../../net/flow.ts";
import { SeededRandom } from "../../../../net/random.ts";
import { IpPacket } from "../../../../packet/ip_packet.ts";
import { parseMac } from "../../../../packet/ethernet.ts";
import { findScheduler } from "../../../../schedulers/registry.ts";
import { frameText } from "../../../oracle/frame_text.ts";
import { frame, ipPacket, type PacketText } from "../../packet/frames.ts";

export const MAC = {
  outside: "02:00:00:00:d0:00",
  inside: "02:00:00:00:d0:01",
  client: "02:00:00:00:c0:00",
  server: "02:00:00:00:00:11",
} as const;

/** A frame that was sent, and the packet in it. */
export interface Sent {
  readonly link: string;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly packet: IpPacket;
}

function mac(text: string): Uint8Array {
  const bytes = parseMac(text);
  assert.ok(bytes !== undefined);
  return bytes;
}

/** The director and its surroundings: VIP 10.1.0.100, client 10.1.0.10, real servers 172.16.0.11 to .13; fd00:1:: and fd00:2::. */
export class Wire {
  readonly director: Director;
  readonly hooks = new Hooks();
  readonly packets: PacketDirector;
  readonly outside: Link = { index: 1, name: "outside", mac: mac(MAC.outside), mtu: 1_500, vlan: 0 };
  readonly inside: Link = { index: 2, name: "inside", mac: mac(MAC.inside), mtu: 1_500, vlan: 0 };
  nowMs = 1_000_000;
  #sent: Sent[] = [];

  constructor(options: { knowsNeighbours?: boolean } = {}) {
    this.director = new Director({
      store: Store.create({ capacities: { services: 8, destinations: 16, persistenceTemplates: 16 } }),
      random: new SeededRandom(1),
      findScheduler,
      connectionEntries: 256,
      isBypassed: (flow) => this.packets.isElsewhere(flow),
    });
    this.packets = new PacketDirector({
      director: this.director,
      hooks: this.hooks,
      random: new SeededRandom(2),
      emit: (link, bytes, from, to) => this.#take(link, bytes.slice(from, to)),
    });
    const at = (link: Link, address: string, prefixLength: number) => ({
      link,
      address: IpAddress.parse(address),
      prefixLength,
    });
    this.packets.configure([this.outside, this.inside], [
      at(this.outside, "10.1.0.1", 24),
      at(this.outside, "10.1.0.100", 32),
      at(this.outside, "fd00:1::1", 64),
      at(this.outside, "fd00:1::100", 128),
      at(this.inside, "172.16.0.1", 24),
      at(this.inside, "fd00:2::1", 64),
    ]);
    if (options.knowsNeighbours === false) return;
    this.knows(this.outside, "10.1.0.10", MAC.client);
    this.knows(this.outside, "fd00:1::10", MAC.client);
    for (const host of [11, 12, 13]) {
      this.knows(this.inside, `172.16.0.${host}`, MAC.server);
      this.knows(this.inside, `fd00:2::${host}`, MAC.server);
    }
  }

  knows(link: Link, address: string, neighbour: string): void {
    const { family, words } = IpAddress.parse(address);
    this.packets.neighbours.setPermanent(link, family, words, mac(neighbour));
  }

  /** A service with destinations; the last named one comes first. */
  serve(
    service: string,
    protocol: "tcp" | "udp",
    destinations: readonly (Partial<DestinationSpec> & { readonly at: string })[],
    port = 80,
  ): number {
    const key = { protocol: PROTOCOL[protocol], address: IpAddress.parse(service), port };
    const handle = this.director.addService({ key, scheduler: "rr" }, this.nowMs);
    for (const { at, ...spec } of destinations) {
      const address = IpAddress.parse(at);
      this.director.addDestination(handle, { port, method: "nat", weight: 1, ...spec, address }, this.nowMs);
    }
    return handle;
  }

  /** A packet of the client; what the director sent about it. */
  fromClient(packet: PacketText | Uint8Array): Sent[] {
    return this.receive(this.outside, packet, MAC.client, MAC.outside);
  }

  /** A packet of a real server. */
  fromServer(packet: PacketText | Uint8Array): Sent[] {
    return this.receive(this.inside, packet, MAC.server, MAC.inside);
  }

  receive(link: Link, packet: PacketText | Uint8Array, from: string, to: string): Sent[] {
    const bytes = packet instanceof Uint8Array ? packet : ipPacket(packet);
    return this.receiveFrame(link, frame(bytes, from, to));
  }

  /** The same with a checksum that is left to whoever reads it. */
  receivePartial(link: Link, packet: Uint8Array, from: string, to: string): Sent[] {
    return this.receiveFrame(link, frame(packet, from, to), true);
  }

  /** @param segmentBytes of a super-packet */
  receiveFrame(link: Link, bytes: Uint8Array, isPartial = false, segmentBytes = 0): Sent[] {
    const buffer = new Uint8Array(HEADROOM_BYTES + bytes.length);
    buffer.set(bytes, HEADROOM_BYTES);
    const [from, to] = [HEADROOM_BYTES, buffer.length];
    this.packets.receive(link.index, buffer, from, to, this.nowMs, isPartial, segmentBytes);
    return this.takeSent();
  }

  /** Lets time pass; what was sent meanwhile. */
  advance(byMs: number): Sent[] {
    const untilMs = this.nowMs + byMs;
    while (this.nowMs < untilMs) {
      this.nowMs = Math.min(untilMs, Math.max(this.nowMs + 1, this.packets.neighbours.nextMs));
      this.director.advance(this.nowMs);
      this.packets.advance(this.nowMs);
    }
    return this.takeSent();
  }

  takeSent(): Sent[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  #take(link: Link, bytes: Uint8Array): void {
    const packet = new IpPacket();
    packet.read(bytes, link.vlan === 0 ? 14 : 18, bytes.length);
    this.#sent.push({ link: link.name, bytes, text: `${link.name} ${frameText(bytes)}`, packet });
  }
}

/** One packet and no other. */
export function only(sent: readonly Sent[]): Sent {
  assert.equal(sent.length, 1, sent.map((it) => it.text).join("\n"));
  const [first] = sent;
  assert.ok(first !== undefined);
  return first;
}

/** Source, destination and ports of a packet, as text. */
export function sidesOf({ text }: Sent): string {
  return / (\S+ > \S+)(?: flags| fragment| ttl)/.exec(text)?.[1] ?? text;
}
