/**
 * Packet sockets on one side, the packet director on the other: the loop of a worker that never awaits.
 *
 * @module
 */
import type { Director } from "../../director/director.ts";
import { LIMITS } from "../../limits.ts";
import { checksumOffset, IP_PROTOCOL } from "../../packet/transport.ts";
import type { FrameSender } from "../../sys/frame_sender.ts";
import type { Address, PacketLibrary } from "../../sys/packet_library.ts";
import {
  OFFLOAD,
  OFFLOAD_BYTES,
  OFFLOAD_FLAG,
  OFFLOAD_TYPE,
  writeNoOffload,
  writeOffload,
} from "../../sys/offload.ts";
import type { PacketSocket } from "../../sys/packet_socket.ts";
import type { Link } from "./links.ts";
import type { PacketDirector } from "./packet_director.ts";
import { type Passage, segmentHeaderBytes } from "./passage.ts";

/** `struct pollfd`: a word, then what is waited for and what happened. */
const POLL_RECORD_BYTES = 8;
const POLL_HALVES = { wanted: 2, happened: 3, count: 4 } as const;
const POLL_IN = 1;
/** Frames of one socket before the next one has its turn. */
const BATCH_FRAMES = 64;

/** What the loop runs on. */
export interface LoopParts {
  readonly library: Pick<PacketLibrary, "poll" | "pointerOf">;
  readonly sockets: readonly PacketSocket[];
  readonly sender: FrameSender;
  readonly director: Director;
  readonly nowMs: () => number;
}

/** Moves frames between sockets and director. */
export class WireLoop {
  frames = 0;
  readonly #parts: LoopParts;
  readonly #poll: Uint8Array<ArrayBuffer>;
  readonly #pollHalves: Uint16Array<ArrayBuffer>;
  readonly #pollAddress: Address;
  #packets: PacketDirector | undefined;
  #nowMs = 0;
  #index = 0;
  readonly #onFrame = (bytes: Uint8Array, from: number, to: number, offloadAt: number) =>
    this.#receive(bytes, from, to, offloadAt);

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#poll = new Uint8Array(parts.sockets.length * POLL_RECORD_BYTES);
    this.#pollAddress = parts.library.pointerOf(this.#poll);
    this.#pollHalves = new Uint16Array(this.#poll.buffer);
    const view = new DataView(this.#poll.buffer);
    parts.sockets.forEach(({ descriptor }, i) => {
      view.setInt32(i * POLL_RECORD_BYTES, descriptor, true);
      this.#pollHalves[i * POLL_HALVES.count + POLL_HALVES.wanted] = POLL_IN;
    });
  }

  /** The director that frames go to; it sends by {@linkcode emit}. */
  attach(packets: PacketDirector): void {
    this.#packets = packets;
  }

  /** Runs until `turn` says no; it is asked at least every {@linkcode LIMITS.packetPollMs}. */
  run(turn: () => boolean): void {
    const { library, sockets, sender, director, nowMs } = this.#parts;
    let advancedMs = -Infinity;
    for (;;) {
      this.#nowMs = nowMs();
      let busy = false;
      for (const socket of sockets) {
        this.#index = socket.index;
        if (socket.drain(this.#onFrame, BATCH_FRAMES) > 0) busy = true;
      }
      if (this.#nowMs - advancedMs >= LIMITS.packetPollMs) {
        advancedMs = this.#nowMs;
        director.advance(this.#nowMs);
        this.#packets?.advance(this.#nowMs);
        const isWanted = turn();
        sender.flush();
        if (!isWanted) return;
      }
      if (busy) continue;
      if (library.poll(this.#pollAddress, sockets.length, LIMITS.packetPollMs) > 0) this.#takeErrors();
    }
  }

  /** An interface that goes down leaves an error on its socket: while nobody takes it, nothing can be waited for. */
  #takeErrors(): void {
    const { sockets } = this.#parts;
    for (let i = 0; i < sockets.length; i++) {
      const happened = this.#pollHalves[i * POLL_HALVES.count + POLL_HALVES.happened] ?? 0;
      if ((happened & ~POLL_IN) !== 0) sockets[i]?.takeError();
    }
  }

  /** Puts a frame on a link's wire, with what is left for network cards to do in front of it. */
  emit(link: Link, bytes: Uint8Array, from: number, to: number, passage: Passage | undefined): void {
    const { sockets } = this.#parts;
    for (let i = 0; i < sockets.length; i++) {
      const socket = sockets[i];
      if (socket?.index !== link.index) continue;
      const at = from - OFFLOAD_BYTES;
      putOffload(bytes, at, from, passage);
      return passage?.isTunnelled === true ? socket.sendTrain(bytes, at, to) : socket.send(bytes, at, to);
    }
  }

  #receive(bytes: Uint8Array, from: number, to: number, offloadAt: number): void {
    this.frames++;
    const isPartial = ((bytes[offloadAt + OFFLOAD.flags] ?? 0) & OFFLOAD_FLAG.needsChecksum) !== 0;
    const type = (bytes[offloadAt + OFFLOAD.type] ?? 0) & ~OFFLOAD_TYPE.congestion;
    // The header is in the byte order of the machine; both supported ones put the low byte first.
    const low = bytes[offloadAt + OFFLOAD.segmentBytes] ?? 0;
    const high = bytes[offloadAt + OFFLOAD.segmentBytes + 1] ?? 0;
    const segmentBytes = type === OFFLOAD_TYPE.none ? 0 : low | (high << 8);
    this.#packets?.receive(this.#index, bytes, from, to, this.#nowMs, isPartial, segmentBytes);
  }
}

function putOffload(bytes: Uint8Array, at: number, from: number, passage: Passage | undefined): void {
  if (passage === undefined || !(passage.isPartial || passage.segmentBytes > 0)) {
    return writeNoOffload(bytes, at);
  }
  const { packet, inner, isTunnelled, segmentBytes } = passage;
  const outer = packet.at - from;
  const start = isTunnelled ? outer + inner.transport : packet.transport - from;
  const protocol = isTunnelled ? inner.protocol : packet.protocol;
  writeOffload(bytes, at, {
    type: protocol !== IP_PROTOCOL.tcp
      ? OFFLOAD_TYPE.udpSegments
      : packet.family === 4
      ? OFFLOAD_TYPE.tcp4
      : OFFLOAD_TYPE.tcp6,
    headerBytes: isTunnelled ? outer + inner.payload : start + segmentHeaderBytes(packet),
    segmentBytes,
    start,
    offset: Math.max(0, checksumOffset(protocol)),
  });
}
