/**
 * One client's datagrams to one destination, in a worker.
 *
 * @module
 */
import { type Flow, NO_ENTRY, PROTOCOL } from "../../net/flow.ts";
import { IpAddress } from "../../net/address.ts";
import { encodeProxyV2 } from "../../net/proxy_protocol.ts";
import { SOURCE_WORDS } from "../../sys/datagram_receiver.ts";
import type { Recipient } from "../../sys/datagram_sender.ts";
import { addressNumber } from "../../sys/libc.ts";
import { portAt, readAddress, SOCKET_ADDRESS_BYTES } from "../../sys/socket_address.ts";
import { FAMILY } from "../../sys/socket_numbers.ts";
import type { EndReason } from "../engine.ts";
import type { EndedFacts } from "./event_record.ts";
import type { Watched } from "./reactor.ts";
import type { Target, TargetWaiter } from "./targets.ts";
import type { Questions } from "./questions.ts";

/** Client, address asked, and in one-packet mode the destination and its port. */
export const SESSION_KEY = {
  words: SOURCE_WORDS + 2,
  destination: SOURCE_WORDS,
  port: SOURCE_WORDS + 1,
} as const;
/** Where the address that was asked begins. */
const ASKED = 5;
const NO_ADDRESS = new Uint32Array(4);
/** First two bytes of fe80::/10 in use, fe80::/64, in the host's order. */
const LINK_LOCAL = 0x80fe;

export const UDP_STAGE = {
  over: 0,
  /** The rules are being asked. */
  judging: 1,
  /** The main thread is asked whether the destination is one of our own listeners. */
  asking: 2,
  /** It has its socket. */
  open: 3,
} as const;
export type UdpStage = typeof UDP_STAGE[keyof typeof UDP_STAGE];

/** What goes in front of a datagram, and where it lies. */
export interface Head {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly address: number;
}

/** The service that a session belongs to. */
export interface SessionService {
  readonly slot: number;
  /** Its socket has something to read, or an error. */
  sessionReady(session: UdpSession): void;
  /** Whether its destination is one of our own listeners is known. */
  targetKnown(session: UdpSession, target: Target): void;
  judged(session: UdpSession, refusal: EndReason | "", admission: number): void;
  entryExpired(session: UdpSession): void;
}

/** A record for one session after another, at the same time its client as a recipient. */
export class UdpSession implements Watched, EndedFacts, Recipient, TargetWaiter {
  /** Number of this record, below 0: those above are of TCP. */
  readonly id: number;
  readonly flow: Flow;
  readonly key: Uint32Array = new Uint32Array(SESSION_KEY.words);
  readonly source: Uint32Array = this.key.subarray(ASKED, ASKED + 4);
  readonly #name = new Uint8Array(SOCKET_ADDRESS_BYTES);
  readonly nameAddress: number = addressNumber(this.#name);
  nameBytes = 0;
  interfaceIndex = 0;
  sourceFamily: 4 | 6 = 4;
  stage: UdpStage = UDP_STAGE.over;
  service: SessionService | undefined;
  target: Target | undefined;
  descriptor = -1;
  tag = 0;
  startMs = 0;
  lastMs = 0;
  durationMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Handle of the director's entry, `NO_ENTRY` in one-packet mode. */
  entry: number = NO_ENTRY;
  /** Number by which the rules know it, 0 when they do not. */
  admission = 0;
  /** Whether the destination has answered. */
  isAnswered = false;
  /** Whether equal datagrams go as trains, to the destination and back to the client. */
  joinsForth = true;
  joinsBack = true;
  /** Datagrams that the next read may bring. */
  expected = 1;
  /** What came while it was not open yet, and how many of these the director has heard of. */
  readonly kept: Uint8Array<ArrayBuffer>[] = [];
  told = 0;
  /** Neighbours by use, and the next one in its chain of the index. */
  older: UdpSession | undefined;
  newer: UdpSession | undefined;
  nextInChain: UdpSession | undefined;
  /** What it has of the batch at hand: ends of its list of chunks, -1 for none; what the director has not heard of. */
  firstChunk = -1;
  lastChunk = -1;
  uncounted = 0;
  uncountedBytes = 0;
  readonly #admissions: Pick<Questions, "left">;
  #head: Head | undefined;

  /** @param admissions hears of those that nobody needs any more */
  constructor(id: number, flow: Flow, admissions: Pick<Questions, "left">) {
    this.id = id;
    this.flow = flow;
    this.#admissions = admissions;
    this.flow.protocol = PROTOCOL.udp;
  }

  get isOpen(): boolean {
    return this.stage === UDP_STAGE.open;
  }

  /** Whether the director has forwarded it. */
  get isEntered(): boolean {
    return this.stage >= UDP_STAGE.asking;
  }

  get destination(): number {
    return this.target?.destination ?? -1;
  }

  get destinationFamily(): number {
    return this.target?.family ?? 0;
  }

  get destinationAddress(): Uint32Array {
    return this.target?.words ?? NO_ADDRESS;
  }

  get destinationPort(): number {
    return this.target?.port ?? 0;
  }

  /** A client's first datagram; `key` and `name` are copied. */
  begin(
    service: SessionService,
    key: Uint32Array,
    name: DataView,
    interfaceIndex: number,
    nowMs: number,
  ): void {
    this.service = service;
    this.key.set(key);
    this.#name.set(new Uint8Array(name.buffer, name.byteOffset, SOCKET_ADDRESS_BYTES));
    const isInet = name.getUint16(0, true) === FAMILY.inet;
    this.nameBytes = isInet ? 16 : SOCKET_ADDRESS_BYTES;
    this.sourceFamily = isInet ? 4 : 6;
    // Only an address of one link needs it; others are answered by the routes.
    this.interfaceIndex = !isInet && (this.source[0] ?? 0) % 0x10000 === LINK_LOCAL ? interfaceIndex : 0;
    const { flow } = this;
    flow.family = readAddress(name, flow.client);
    flow.clientPort = portAt(name);
    flow.mark = 0;
    this.#reset(nowMs);
  }

  /** The same client's next session, after its entry went elsewhere. */
  follow(left: UdpSession, nowMs: number): void {
    const { flow } = left;
    const name = new DataView(left.#name.buffer);
    this.begin(left.service as SessionService, left.key, name, left.interfaceIndex, nowMs);
    this.flow.virtual.set(flow.virtual);
    this.flow.virtualPort = flow.virtualPort;
    this.flow.service = flow.service;
    this.flow.payload = flow.payload;
    this.flow.mark = flow.mark;
    this.flow.entry = flow.entry;
    this.admission = left.admission;
    left.admission = 0;
  }

  #reset(nowMs: number): void {
    this.flow.entry = NO_ENTRY;
    this.flow.packets = 1;
    this.entry = NO_ENTRY;
    this.target = undefined;
    this.startMs = nowMs;
    this.lastMs = nowMs;
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.admission = 0;
    this.isAnswered = false;
    this.joinsForth = true;
    this.joinsBack = true;
    this.expected = 1;
    this.told = 0;
    this.firstChunk = -1;
    this.lastChunk = -1;
    this.uncounted = 0;
    this.uncountedBytes = 0;
    this.#head = undefined;
  }

  /** The PROXY header in front of each of its datagrams. */
  head(): Head {
    const { family, client, clientPort, virtual, virtualPort } = this.flow;
    if (this.#head !== undefined) return this.#head;
    const bytes = encodeProxyV2(
      "udp",
      { address: new IpAddress(family, client), port: clientPort },
      { address: new IpAddress(family, virtual), port: virtualPort },
    );
    return this.#head = { bytes, address: addressNumber(bytes) };
  }

  ready(): void {
    this.service?.sessionReady(this);
  }

  targetKnown(target: Target): void {
    // It may have ended meanwhile, and its record serve another client.
    if (this.stage === UDP_STAGE.asking && target === this.target) this.service?.targetKnown(this, target);
  }

  /** The rules have spoken. */
  judged(startMs: number, refusal: EndReason | "", mark: number, admission: number): void {
    if (this.stage !== UDP_STAGE.judging || startMs !== this.startMs || this.service === undefined) {
      if (admission !== 0) this.#admissions.left(admission);
      return;
    }
    this.flow.mark = mark;
    this.service.judged(this, refusal, admission);
  }

  introduced(startMs: number, admission: number): void {
    if (this.hasEntry && this.admission === 0 && startMs === this.startMs) this.admission = admission;
    else this.#admissions.left(admission);
  }

  /** Live, and known to the director by an entry: in one-packet mode there is none. */
  get hasEntry(): boolean {
    return this.isEntered && this.entry !== NO_ENTRY;
  }
}
