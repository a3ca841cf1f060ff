/**
 * The key of a conversation: who talks to which virtual address over which protocol.
 *
 * @module
 */
import { type Family, IpAddress } from "./address.ts";
import type { Endpoint } from "./endpoint.ts";

/** IP protocol numbers that a virtual service may have; 0 stands for any (firewall-mark templates). */
export const PROTOCOL = { ip: 0, tcp: 6, udp: 17, sctp: 132 } as const;

const IPSEC = { esp: 50, ah: 51 } as const;

/** AH and ESP have neither ports nor states: their packets belong to the IKE connection between the same two addresses. */
export function isIpsec(protocol: number): boolean {
  return protocol === IPSEC.esp || protocol === IPSEC.ah;
}

/** TCP header flags, as in the header's 14th byte. */
export const TCP_FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const;

/** Which way a segment travels: from the client to the virtual service, or from the real server to the client. */
export const DIRECTION = { input: 0, output: 1 } as const;
export type Direction = typeof DIRECTION[keyof typeof DIRECTION];

/** No connection entry is known for a flow. */
export const NO_ENTRY = -1;
/** The virtual service of a flow has to be looked up. */
export const NO_SERVICE = -1;

/** A datagram that can be read; asked for a payload only when a persistence engine has to look into it. */
export interface Payload {
  payload(): Uint8Array;
}

/**
 * One flow. A mutable record on purpose: a packet engine fills the same one for each packet, a socket engine keeps
 * one with each connection. The client side is always `client`, whatever the direction of a segment.
 */
export class Flow {
  family: Family = 4;
  protocol: number = PROTOCOL.tcp;
  /** Client address as words (see `IpAddress`). */
  readonly client: Uint32Array;
  clientPort = 0;
  /** Virtual address as words. */
  readonly virtual: Uint32Array;
  virtualPort = 0;
  /** Firewall mark, 0 for none. */
  mark = 0;
  /**
   * Handle of the virtual service when a listener already knows it (it may listen on every address), else
   * `NO_SERVICE`: the director looks it up by mark, then by protocol, virtual address and port.
   */
  service: number = NO_SERVICE;
  /**
   * How many packets the next segment stands for. A packet engine leaves it at 1; a socket engine, which sees byte
   * streams and no packets, sets 0: it counts them later (`countPackets`), or its packet counters stay 0.
   */
  packets = 1;
  /**
   * The datagram of the next segment, for services with a persistence engine; an engine sets it once, to something that
   * always answers with the datagram at hand, so it costs nothing per packet.
   */
  payload: Payload | undefined = undefined;
  /**
   * Handle of the connection entry, written by the director so that the next segment of the same flow needs no
   * lookup; `NO_ENTRY` when unknown. The director verifies it, so a stale one does no harm.
   */
  entry: number = NO_ENTRY;

  /** @param client memory for the two addresses, four words each: many flows may share one array (`FlowMemory`) */
  constructor(client: Uint32Array = new Uint32Array(4), virtual: Uint32Array = new Uint32Array(4)) {
    this.client = client;
    this.virtual = virtual;
  }

  /** A flow between two endpoints of one family. */
  static between(protocol: number, client: Endpoint, virtual: Endpoint): Flow {
    const flow = new Flow();
    flow.protocol = protocol;
    flow.family = client.address.family;
    flow.client.set(client.address.words);
    flow.clientPort = client.port;
    flow.virtual.set(virtual.address.words);
    flow.virtualPort = virtual.port;
    return flow;
  }

  toString(): string {
    const side = (words: Uint32Array, port: number) =>
      this.family === 6
        ? `[${new IpAddress(6, words.slice())}]:${port}`
        : `${new IpAddress(4, words.slice())}:${port}`;
    const name = Object.entries(PROTOCOL).find(([, number]) => number === this.protocol)?.[0];
    return `${name ?? this.protocol} ${side(this.client, this.clientPort)} -> ${
      side(this.virtual, this.virtualPort)
    }`;
  }
}

/** The same conversation seen from the other side, in a flow that is refilled. */
export function reversed(flow: Flow, back: Flow = new Flow()): Flow {
  back.family = flow.family;
  back.protocol = flow.protocol;
  back.client.set(flow.virtual);
  back.clientPort = flow.virtualPort;
  back.virtual.set(flow.client);
  back.virtualPort = flow.clientPort;
  return back;
}

/** Addresses of one array. */
const SHARED_FLOWS = 256;

/**
 * Makes flows that are kept for good, at half the memory: each array of its own costs 240 bytes beside its words.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const memory = new FlowMemory();
 * const [one, other] = [memory.make(), memory.make()];
 * one.client[0] = 0x7f000001;
 * assert.equal(other.client[0], 0);
 * ```
 */
export class FlowMemory {
  #words = new Uint32Array(0);
  #next = 0;

  make(): Flow {
    if (this.#next === this.#words.length) {
      this.#words = new Uint32Array(SHARED_FLOWS * 8);
      this.#next = 0;
    }
    const at = this.#next;
    this.#next = at + 8;
    return new Flow(this.#words.subarray(at, at + 4), this.#words.subarray(at + 4, at + 8));
  }
}
