/**
 * What would become of a packet: its way through the hooks, its change, its route, its neighbour. Played on a copy of the
 * director, so nothing is changed by asking.
 *
 * @module
 */
import type { Director } from "../../director/director.ts";
import { ValueError } from "../../errors.ts";
import { IpAddress } from "../../net/address.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import type { Flow } from "../../net/flow.ts";
import { SeededRandom } from "../../net/random.ts";
import { FORWARDING, type Translation } from "../../modes/translation.ts";
import { tunnelOverhead } from "../../modes/tun_packet.ts";
import { unpackTunnel } from "../../modes/tunnel.ts";
import { EthernetHeader, ETHERTYPE, formatMac, writeEthernet } from "../../packet/ethernet.ts";
import { IpPacket } from "../../packet/ip_packet.ts";
import { ICMPV6_TYPE, IP_PROTOCOL } from "../../packet/transport.ts";
import { PACKET_DROPS, type PacketDrop } from "./drops.ts";
import { type Link, type Route, Routes } from "./links.ts";
import { PacketDirector } from "./packet_director.ts";
import { packetText } from "./packet_text.ts";
import { HEADROOM_BYTES } from "./passage.ts";
import { questionPacket } from "./question_packet.ts";
import type { PackedRules } from "./rule_transfer.ts";
import { type HookStep, TracedHooks } from "./traced_hooks.ts";
import { type SystemInterface, wire, type Wiring } from "./wiring.ts";
import { WorkerRules } from "./worker_rules.ts";

/** A step of the way, in order. */
export interface PathStep {
  /** A hook, `translation`, `route`, `wire`, `neighbour` or `dropped`. */
  readonly at: string;
  readonly text: string;
  /** On a hook: chains and functions in the order of their priorities. */
  readonly met?: HookStep["met"];
}

/** The answer, as plain JSON. */
export interface PacketPath {
  /** The packet, and the interface it comes in by. */
  readonly packet: string;
  readonly steps: readonly PathStep[];
}

/** What is known of an engine's surroundings. */
export interface Surroundings {
  readonly wiring: Wiring;
  readonly interfaces: Readonly<Record<string, SystemInterface>>;
  /** `undefined`: who is a neighbour is not known, and each is taken for known. */
  readonly neighbours?: readonly KnownNeighbour[];
  readonly rules: PackedRules;
}

export interface KnownNeighbour {
  /** Of the link. */
  readonly interfaceName: string;
  readonly vlan: number;
  readonly address: string;
  readonly mac: Uint8Array;
}

/** What a person asks. */
export interface PacketWish {
  /** IP length; left out: as little as there can be. */
  readonly bytes?: number;
  /** Interface it comes in by; left out: the one towards its sender. */
  readonly interfaceName?: string;
}

const SEED = 1;

/**
 * Follows a packet.
 *
 * @param director is changed: hand in a fork
 * @throws {ValueError} `INTERFACE_UNKNOWN`, `BYTES_INVALID`
 */
export function followPacket(
  director: Director,
  flow: Flow,
  surroundings: Surroundings,
  wish: PacketWish,
  nowMs: number,
): PacketPath {
  const { links, addresses, routes } = wire(surroundings.wiring, (name) => interfaceOf(surroundings, name));
  const table = new Routes();
  table.set(addresses, routes);
  const link = incomingLink(links, table, flow, wish.interfaceName);
  const steps: PathStep[] = [];
  const hooks = new TracedHooks(
    (step) => steps.push(step),
    (index) => links.find((it) => it.index === index)?.name ?? "",
  );
  const random = new SeededRandom(SEED);
  const rules = new WorkerRules(hooks, director, random);
  rules.set(surroundings.rules, links);
  const packets = new PacketDirector({
    director,
    hooks,
    random,
    serviceOf: (passage) => rules.serviceOf(passage),
    isKnown: (passage) => rules.isKnown(passage),
    onRoute: (translation, route, mtu) => steps.push(...routeSteps(translation, route, mtu)),
    emit: (out, bytes, from, to) => steps.push(wireStep(out, bytes.slice(from, to), surroundings.neighbours)),
  });
  packets.configure(links, addresses, routes);
  if (surroundings.neighbours !== undefined) setKnown(packets, links, surroundings.neighbours);
  else knowEverybody(packets, table, director, flow);
  const bytes = questionPacket(flow, wish.bytes);
  const frame = new Uint8Array(HEADROOM_BYTES + bytes.length);
  frame.set(bytes, HEADROOM_BYTES);
  const type = flow.family === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6;
  const from = writeEthernet(frame, HEADROOM_BYTES, link.mac, link.mac, type, link.vlan);
  const packet = new IpPacket();
  packet.read(bytes, 0, bytes.length);
  const text = `${packetText(packet)}; comes in by ${linkText(link)}`;
  packets.receive(link.index, frame, from, frame.length, nowMs, true);
  steps.push(...dropSteps(packets.drops.toJSON()));
  return { packet: text, steps };
}

function interfaceOf({ interfaces }: Surroundings, name: string): SystemInterface {
  const found = interfaces[name];
  if (found !== undefined) return found;
  throw new ValueError("INTERFACE_UNKNOWN", `the packet engine has no interface ${name}`, { value: name });
}

function incomingLink(
  links: readonly Link[],
  table: Routes,
  flow: Flow,
  name: string | undefined,
): Link {
  const towards = table.findRemote(flow.family, flow.client)?.link ?? links[0];
  const found = name === undefined ? towards : links.find((it) => linkText(it) === name);
  if (found !== undefined) return found;
  throw new ValueError(
    "INTERFACE_UNKNOWN",
    `the packet engine has no interface ${name}; it has ${links.map(linkText).join(", ") || "none"}`,
    { value: name ?? "" },
  );
}

function linkText({ name, vlan }: Link): string {
  return vlan === 0 ? name : `${name}.${vlan}`;
}

function setKnown(packets: PacketDirector, links: readonly Link[], known: readonly KnownNeighbour[]): void {
  for (const { interfaceName, vlan, address, mac } of known) {
    const link = links.find((it) => it.name === interfaceName && it.vlan === vlan);
    const { family, words } = IpAddress.parse(address);
    if (link !== undefined) packets.neighbours.setPermanent(link, family, words, mac);
  }
}

/** Where nobody can say who is known: all that the packet may be for. */
function knowEverybody(packets: PacketDirector, table: Routes, director: Director, flow: Flow): void {
  const servers = director.services().flatMap(({ handle }) => director.destinationViews(handle));
  const ends = [flow.client, flow.virtual].map((words) => new IpAddress(flow.family, words.slice()));
  for (const address of [...ends, ...servers.map((it) => it.address)]) {
    const route = table.findRemote(address.family, address.words);
    const hop = route?.gateway ?? address;
    if (route !== undefined) packets.neighbours.setPermanent(route.link, hop.family, hop.words, NOBODY);
  }
}

const NOBODY = new Uint8Array(6);

function routeSteps(translation: Translation, route: Route, mtu: number): PathStep[] {
  const { destination, destinationFamily, destinationPort, virtual, virtualPort, family, method } =
    translation;
  const server = new IpAddress(destinationFamily, destination.slice());
  const service = formatEndpoint({ address: new IpAddress(family, virtual.slice()), port: virtualPort });
  const hop = route.gateway === undefined ? "directly" : `by ${route.gateway}`;
  const changes: Record<number, string> = {
    [FORWARDING.nat]: `NAT: destination ${service} becomes ${
      formatEndpoint({ address: server, port: destinationPort })
    }`,
    [FORWARDING.dr]: `DR: the packet stays as it is, its frame goes to ${server}`,
    [FORWARDING.tun]: `TUN: ${unpackTunnel(translation.tunnel).type} from ${route.source} to ${server}, ${
      tunnelOverhead(translation)
    } bytes in front`,
  };
  return [
    { at: "translation", text: `${changes[method] ?? "the packet stays as it is"}; TTL one less` },
    { at: "route", text: `${server} ${hop} on ${linkText(route.link)}; at most ${mtu} bytes` },
  ];
}

/** A frame on a wire: the packet, or a question after its neighbour. */
function wireStep(link: Link, frame: Uint8Array, known: readonly KnownNeighbour[] | undefined): PathStep {
  const header = new EthernetHeader();
  header.read(frame, 0, frame.length);
  const packet = new IpPacket();
  const isPacket = packet.read(frame, header.payload, frame.length);
  const isQuestion = header.ethertype === ETHERTYPE.arp ||
    (packet.protocol === IP_PROTOCOL.icmpv6 &&
      frame[packet.transport] === ICMPV6_TYPE.neighbourSolicitation);
  if (isQuestion) {
    const how = header.ethertype === ETHERTYPE.arp ? "ARP" : "neighbour discovery";
    return { at: "neighbour", text: `not known on ${linkText(link)}: asked by ${how}, the packet waits` };
  }
  const to = known === undefined ? "" : ` to ${formatMac(frame.subarray(0, 6))}`;
  return { at: "wire", text: `${linkText(link)}${to}: ${isPacket ? packetText(packet) : "?"}` };
}

/** Why it went no further; the director's own reasons stand in the decision. */
const DROPS: Readonly<Partial<Record<PacketDrop, string>>> = {
  "too-big": "it is larger than its way allows and must not be fragmented",
  "no-route": "no route leads there",
  "time-exceeded": "its time to live is over",
  martian: "its source is one of the director's own addresses",
  rule: "a rule says so",
  director: "the director says so",
  foreign: "it is for nobody here",
};

function dropSteps(drops: Readonly<Record<PacketDrop, number>>): PathStep[] {
  return PACKET_DROPS.filter((it) => drops[it] > 0)
    .map((it) => ({ at: "dropped", text: `${it}: ${DROPS[it] ?? it}` }));
}
