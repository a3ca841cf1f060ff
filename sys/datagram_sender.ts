/**
 * Sends many datagrams in one system call, and trains of equal ones as one message (`UDP_SEGMENT`).
 *
 * @module
 */
import {
  CONTROL_HEADER_BYTES,
  CONTROL_ROOM_WORDS,
  CONTROL_WORD,
  controlSpace,
  MESSAGE_WORD,
  MESSAGE_WORDS,
  PACKET_INFO,
  PACKET_INFO6,
  PIECE_WORD,
  PIECE_WORDS,
  putAddress,
} from "./datagram_layout.ts";
import { ERRNO } from "./errno.ts";
import { type Address, addressBehind, addressNumber, addressOf, type Libc } from "./libc.ts";
import { IP_OPTION, LEVEL, MESSAGE, UDP_OPTION } from "./socket_numbers.ts";

/** Datagrams of one train: UDP_MAX_SEGMENTS was 64 before Linux 6.3 made it 128. */
const TRAIN_DATAGRAMS = 64;
/** Bytes of one train: an IP packet's 65,535 less its headers, those of IPv6 and UDP. */
const TRAIN_BYTES = 65_535 - 40 - 8;

/** Who gets a datagram, where the socket is not connected. */
export interface Recipient {
  /** Where its `sockaddr` lies; it has to stay there until the datagram was sent. */
  readonly nameAddress: number;
  readonly nameBytes: number;
  /** The address to answer from, as `DatagramReceiver.readSource` read it: four words, all 0 leaves it to the system. */
  readonly source: Uint32Array;
  /** Interface to answer through, 0 leaves it to the system. */
  readonly interfaceIndex: number;
  readonly sourceFamily: 4 | 6;
}

/** Messages on their way out. Allocates nothing after it was made. */
export class DatagramSender {
  readonly #libc: Libc;
  readonly #capacity: number;
  readonly #pieceCapacity: number;
  readonly #messages: Uint32Array<ArrayBuffer>;
  readonly #pieces: Uint32Array<ArrayBuffer>;
  readonly #piecesAddress: number;
  readonly #control: Uint32Array<ArrayBuffer>;
  readonly #addresses: readonly Address[];
  /** By message: the size of its datagrams when it is a train, else 0. */
  readonly #trains: Uint32Array;
  /** By message: where its pieces begin; how many datagrams and bytes it has. */
  readonly #firstPiece: Uint32Array;
  readonly #datagrams: Uint32Array;
  readonly #bytes: Uint32Array;
  #count = 0;
  #pieceCount = 0;
  /** Size that the next datagram must have, or stay below, to join the last message; 0 when none may. */
  #joinBytes = 0;
  #joinTo: Recipient | undefined;

  /** @param capacity messages, and pieces of which they are made */
  constructor(libc: Libc, capacity: number) {
    this.#libc = libc;
    this.#capacity = capacity;
    this.#pieceCapacity = capacity * 2;
    // One more of each: a train that has to go datagram by datagram is taken apart there.
    this.#messages = new Uint32Array((capacity + 1) * MESSAGE_WORDS);
    this.#pieces = new Uint32Array((this.#pieceCapacity + 1) * PIECE_WORDS);
    this.#piecesAddress = addressNumber(this.#pieces);
    this.#control = new Uint32Array((capacity + 1) * CONTROL_ROOM_WORDS);
    const first = addressOf(this.#messages);
    this.#addresses = Array.from(
      { length: capacity + 1 },
      (_, message) => addressBehind(first, message * MESSAGE_WORDS * 4),
    );
    const control = addressNumber(this.#control);
    for (let message = 0; message <= capacity; message++) {
      const at = message * MESSAGE_WORDS + MESSAGE_WORD.control;
      putAddress(this.#messages, at, control + message * CONTROL_ROOM_WORDS * 4);
    }
    this.#trains = new Uint32Array(capacity + 1);
    this.#firstPiece = new Uint32Array(capacity + 1);
    this.#datagrams = new Uint32Array(capacity + 1);
    this.#bytes = new Uint32Array(capacity + 1);
  }

  /** Messages that wait to be sent. */
  get count(): number {
    return this.#count;
  }

  /** Whether one more datagram, with a head or without, may find no room. */
  get isFull(): boolean {
    return this.#count >= this.#capacity || this.#pieceCount + 2 > this.#pieceCapacity;
  }

  /** Datagrams of a message. */
  datagrams(message: number): number {
    return this.#datagrams[message] ?? 0;
  }

  bytes(message: number): number {
    return this.#bytes[message] ?? 0;
  }

  clear(): void {
    this.#count = 0;
    this.#pieceCount = 0;
    this.#joinBytes = 0;
  }

  /**
   * Adds a datagram, or a train of them. It joins the message before it when both go to the same recipient and make one train.
   *
   * @param trainBytes size of each datagram of a train, 0 for one datagram
   * @param mayJoin whether trains may be made
   * @returns the message it is in
   */
  add(
    to: Recipient | undefined,
    address: number,
    bytes: number,
    trainBytes: number,
    mayJoin: boolean,
  ): number {
    const size = trainBytes === 0 ? bytes : trainBytes;
    const datagrams = trainBytes === 0 ? 1 : Math.ceil(bytes / trainBytes);
    const last = this.#count - 1;
    if (
      mayJoin && this.#joinBytes > 0 && to === this.#joinTo && this.#fits(last, size, bytes, datagrams)
    ) {
      this.#addPiece(last, address, bytes);
      this.#trains[last] = this.#joinBytes;
      this.#datagrams[last] = this.datagrams(last) + datagrams;
      if (bytes % this.#joinBytes !== 0) this.#joinBytes = 0;
      return last;
    }
    const message = this.#begin(to, datagrams);
    this.#addPiece(message, address, bytes);
    this.#trains[message] = datagrams > 1 ? size : 0;
    // A train ends with its first smaller datagram.
    this.#joinBytes = mayJoin && bytes > 0 && bytes % size === 0 ? size : 0;
    this.#joinTo = to;
    return message;
  }

  /** Adds a datagram behind a head of its own: never part of a train. */
  addBehind(head: number, headBytes: number, address: number, bytes: number): number {
    const message = this.#begin(undefined, 1);
    this.#addPiece(message, head, headBytes);
    this.#addPiece(message, address, bytes);
    this.#trains[message] = 0;
    this.#joinBytes = 0;
    return message;
  }

  #fits(last: number, size: number, bytes: number, datagrams: number): boolean {
    const isEqual = size === this.#joinBytes || (datagrams === 1 && bytes > 0 && bytes < this.#joinBytes);
    return isEqual && this.datagrams(last) + datagrams <= TRAIN_DATAGRAMS &&
      this.bytes(last) + bytes <= TRAIN_BYTES;
  }

  #begin(to: Recipient | undefined, datagrams: number): number {
    const message = this.#count++;
    const at = message * MESSAGE_WORDS;
    const words = this.#messages;
    this.#firstPiece[message] = this.#pieceCount;
    this.#datagrams[message] = datagrams;
    this.#bytes[message] = 0;
    putAddress(words, at + MESSAGE_WORD.name, to === undefined ? 0 : to.nameAddress);
    words[at + MESSAGE_WORD.nameBytes] = to === undefined ? 0 : to.nameBytes;
    putAddress(words, at + MESSAGE_WORD.pieces, this.#piecesAddress + this.#pieceCount * PIECE_WORDS * 4);
    words[at + MESSAGE_WORD.pieceCount] = 0;
    words[at + MESSAGE_WORD.controlBytes] = to === undefined ? 0 : this.#putSource(message, to);
    return message;
  }

  #addPiece(message: number, address: number, bytes: number): void {
    const at = this.#pieceCount++ * PIECE_WORDS;
    putAddress(this.#pieces, at + PIECE_WORD.base, address);
    this.#pieces[at + PIECE_WORD.bytes] = bytes;
    const count = message * MESSAGE_WORDS + MESSAGE_WORD.pieceCount;
    this.#messages[count] = (this.#messages[count] ?? 0) + 1;
    this.#bytes[message] = this.bytes(message) + bytes;
  }

  /** @returns bytes of control messages so far */
  #putSource(message: number, { source, sourceFamily, interfaceIndex }: Recipient): number {
    if (isZero(source)) return 0;
    const control = this.#control;
    const at = message * CONTROL_ROOM_WORDS;
    const data = at + CONTROL_WORD.data;
    const info = sourceFamily === 4 ? PACKET_INFO : PACKET_INFO6;
    control[at + CONTROL_WORD.bytes] = CONTROL_HEADER_BYTES + info.bytes;
    control[at + CONTROL_WORD.level] = sourceFamily === 4 ? LEVEL.ip : LEVEL.ipv6;
    control[at + CONTROL_WORD.type] = sourceFamily === 4 ? IP_OPTION.packetInfo : IP_OPTION.v6PacketInfo;
    if (sourceFamily === 4) {
      control[data + PACKET_INFO.interface] = interfaceIndex;
      control[data + PACKET_INFO.source] = source[0] ?? 0;
    } else {
      for (let i = 0; i < 4; i++) control[data + PACKET_INFO6.address + i] = source[i] ?? 0;
      control[data + PACKET_INFO6.interface] = interfaceIndex;
    }
    return controlSpace(info.bytes);
  }

  /**
   * Sends messages from `first` on. A train that the way does not take goes datagram by datagram.
   *
   * @returns how many messages were sent, at least 1, or a negative errno about the first
   */
  send(descriptor: number, first: number): number {
    for (let message = first; message < this.#count; message++) this.#putTrain(message);
    const count = this.#count - first;
    const sent = this.#libc.sendMessages(descriptor, this.#addresses[first] ?? null, count, MESSAGE.noSignal);
    const isRefusedTrain = (this.#trains[first] ?? 0) > 0 && REFUSES_TRAINS.has(sent);
    return isRefusedTrain ? this.#sendApart(descriptor, first) : sent;
  }

  /** Whether the way of a message that {@linkcode send} has sent did not take it as a train. */
  wasTakenApart(message: number): boolean {
    return this.#trains[message] === 0 && this.datagrams(message) > 1;
  }

  #putTrain(message: number): void {
    const size = this.#trains[message] ?? 0;
    if (size === 0) return;
    const at = message * MESSAGE_WORDS + MESSAGE_WORD.controlBytes;
    const used = this.#sourceBytes(message);
    const control = this.#control;
    const word = message * CONTROL_ROOM_WORDS + used / 4;
    control[word + CONTROL_WORD.bytes] = CONTROL_HEADER_BYTES + 2;
    control[word + CONTROL_WORD.level] = LEVEL.udp;
    control[word + CONTROL_WORD.type] = UDP_OPTION.segment;
    control[word + CONTROL_WORD.data] = size;
    this.#messages[at] = used + controlSpace(2);
  }

  /** Control messages besides the train's. */
  #sourceBytes(message: number): number {
    const used = this.#messages[message * MESSAGE_WORDS + MESSAGE_WORD.controlBytes] ?? 0;
    if (used === 0) return 0;
    const at = message * CONTROL_ROOM_WORDS;
    return this.#control[at + CONTROL_WORD.level] === LEVEL.udp
      ? 0
      : ((this.#control[at + CONTROL_WORD.bytes] ?? 0) + 7) & ~7;
  }

  /** @returns 1 when all its datagrams were sent, or the errno of the first that was not */
  #sendApart(descriptor: number, message: number): number {
    const size = this.#trains[message] ?? 0;
    const [words, pieces] = [this.#messages, this.#pieces];
    const from = message * MESSAGE_WORDS;
    const spare = this.#capacity;
    const at = spare * MESSAGE_WORDS;
    words.copyWithin(at, from, from + MESSAGE_WORDS);
    words[at + MESSAGE_WORD.controlBytes] = this.#sourceBytes(message);
    const piece = this.#pieceCapacity * PIECE_WORDS;
    putAddress(words, at + MESSAGE_WORD.pieces, this.#piecesAddress + piece * 4);
    words[at + MESSAGE_WORD.pieceCount] = 1;
    const first = this.#firstPiece[message] ?? 0;
    const count = words[from + MESSAGE_WORD.pieceCount] ?? 0;
    this.#trains[message] = 0;
    for (let it = first; it < first + count; it++) {
      const whole = it * PIECE_WORDS;
      const base = (pieces[whole] ?? 0) + (pieces[whole + 1] ?? 0) * 2 ** 32;
      const bytes = pieces[whole + PIECE_WORD.bytes] ?? 0;
      for (let offset = 0; offset < bytes; offset += size) {
        putAddress(pieces, piece + PIECE_WORD.base, base + offset);
        pieces[piece + PIECE_WORD.bytes] = Math.min(size, bytes - offset);
        const sent = this.#libc.sendMessage(descriptor, this.#addresses[spare] ?? null, MESSAGE.noSignal);
        if (sent < 0) return sent;
      }
    }
    return 1;
  }
}

function isZero(words: Uint32Array): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0 && words[3] === 0;
}

/** Larger than the way's MTU, no checksum offload, a kernel before 4.18. */
const REFUSES_TRAINS = new Set(
  [ERRNO.EINVAL, ERRNO.EMSGSIZE, ERRNO.EIO, ERRNO.ENOPROTOOPT, ERRNO.EOPNOTSUPP].map((it) => -it),
);
