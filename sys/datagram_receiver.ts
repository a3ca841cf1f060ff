/**
 * Takes many datagrams in one system call.
 *
 * @module
 */
import {
  CONTROL_HEADER_BYTES,
  CONTROL_ROOM_WORDS,
  CONTROL_WORD,
  DATAGRAM_ROOM_BYTES,
  MESSAGE_WORD,
  MESSAGE_WORDS,
  NAME_WORDS,
  PACKET_INFO,
  PACKET_INFO6,
  PIECE_WORD,
  PIECE_WORDS,
  putAddress,
} from "./datagram_layout.ts";
import { type Address, addressBehind, addressNumber, addressOf, type Libc } from "./libc.ts";
import { readAddress, SOCKET_ADDRESS_BYTES } from "./socket_address.ts";
import { FAMILY, IP_OPTION, LEVEL, UDP_OPTION } from "./socket_numbers.ts";

/** Words of a {@linkcode DatagramReceiver.readSource}: family and port, the sender's address, the address that was asked. */
export const SOURCE_WORDS = 9;

/**
 * Slots for datagrams. What a slot holds stays until a later call fills it again. Allocates nothing after it was made; memory
 * of a slot is touched as far as datagrams reach.
 */
export class DatagramReceiver {
  readonly slots: number;
  /** All slots, each of `DATAGRAM_ROOM_BYTES`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Senders, as `readAddress` takes them. */
  readonly names: readonly DataView<ArrayBuffer>[];
  /** Interface of the datagram whose source was read last, and the words of the address to answer from. */
  interfaceIndex = 0;
  readonly #libc: Libc;
  readonly #base: number;
  readonly #isNamed: boolean;
  readonly #nameWords: Uint32Array<ArrayBuffer>;
  readonly #control: Uint32Array<ArrayBuffer>;
  readonly #pieces: Uint32Array<ArrayBuffer>;
  readonly #messages: Uint32Array<ArrayBuffer>;
  readonly #addresses: readonly Address[];
  readonly #local = new Uint32Array(4);
  #isLocalKnown = false;
  #isInet = true;
  readonly #localView = new DataView(new ArrayBuffer(SOCKET_ADDRESS_BYTES));

  /**
   * @param slots datagrams, or trains of them, of one call
   * @param isNamed whether senders are asked for; a connected socket has but one
   */
  constructor(libc: Libc, slots: number, isNamed: boolean) {
    this.#libc = libc;
    this.slots = slots;
    this.#isNamed = isNamed;
    this.bytes = new Uint8Array(slots * DATAGRAM_ROOM_BYTES);
    this.#base = addressNumber(this.bytes);
    this.#nameWords = new Uint32Array(slots * NAME_WORDS);
    const nameBytes = NAME_WORDS * 4;
    this.names = Array.from(
      { length: slots },
      (_, slot) => new DataView(this.#nameWords.buffer, slot * nameBytes, SOCKET_ADDRESS_BYTES),
    );
    this.#control = new Uint32Array(slots * CONTROL_ROOM_WORDS);
    this.#pieces = new Uint32Array(slots * PIECE_WORDS);
    this.#messages = new Uint32Array(slots * MESSAGE_WORDS);
    for (let slot = 0; slot < slots; slot++) this.#lay(slot);
    const first = addressOf(this.#messages);
    this.#addresses = Array.from(
      { length: slots },
      (_, slot) => addressBehind(first, slot * MESSAGE_WORDS * 4),
    );
  }

  #lay(slot: number): void {
    const piece = slot * PIECE_WORDS;
    putAddress(this.#pieces, piece + PIECE_WORD.base, this.address(slot));
    this.#pieces[piece + PIECE_WORD.bytes] = DATAGRAM_ROOM_BYTES;
    const at = slot * MESSAGE_WORDS;
    const messages = this.#messages;
    if (this.#isNamed) {
      putAddress(messages, at + MESSAGE_WORD.name, addressNumber(this.#nameWords) + slot * NAME_WORDS * 4);
    }
    putAddress(messages, at + MESSAGE_WORD.pieces, addressNumber(this.#pieces) + piece * 4);
    messages[at + MESSAGE_WORD.pieceCount] = 1;
    const control = addressNumber(this.#control) + slot * CONTROL_ROOM_WORDS * 4;
    putAddress(messages, at + MESSAGE_WORD.control, control);
  }

  /** Where the datagram of a slot lies. */
  address(slot: number): number {
    return this.#base + slot * DATAGRAM_ROOM_BYTES;
  }

  /**
   * Fills slots from `first` on, at most so many.
   *
   * @returns how many were filled, or a negative errno; `-EAGAIN` when nothing waits
   */
  receive(descriptor: number, first: number, most: number): number {
    const messages = this.#messages;
    for (let slot = first; slot < first + most; slot++) {
      const at = slot * MESSAGE_WORDS;
      // The kernel writes the lengths there are over the room there is.
      if (this.#isNamed) messages[at + MESSAGE_WORD.nameBytes] = SOCKET_ADDRESS_BYTES;
      messages[at + MESSAGE_WORD.controlBytes] = CONTROL_ROOM_WORDS * 4;
    }
    return this.#libc.receiveMessages(descriptor, this.#addresses[first] ?? null, most, 0);
  }

  /** Length of what a slot holds. */
  length(slot: number): number {
    return this.#messages[slot * MESSAGE_WORDS + MESSAGE_WORD.length] ?? 0;
  }

  /** Size of each datagram of a train in this slot (the last may be smaller), 0 when it holds one datagram. */
  trainBytes(slot: number): number {
    const control = this.#find(slot, LEVEL.udp, UDP_OPTION.receiveTrains);
    if (control < 0) return 0;
    const bytes = this.#control[control + CONTROL_WORD.data] ?? 0;
    return bytes < this.length(slot) ? bytes : 0;
  }

  /**
   * Who sent a slot, and to which address: words as they came, to be compared and hashed.
   *
   * @returns whether they stood in `words` already
   */
  readSource(slot: number, words: Uint32Array): boolean {
    const names = this.#nameWords;
    const name = slot * NAME_WORDS;
    const first = names[name] ?? 0;
    const isInet = (first & 0xffff) === FAMILY.inet;
    this.#isInet = isInet;
    this.#findLocal(slot);
    let isSame = words[0] === first;
    words[0] = first;
    for (let i = 0; i < 4; i++) {
      const word = isInet ? (i === 0 ? names[name + 1] ?? 0 : 0) : names[name + 2 + i] ?? 0;
      const local = this.#local[i] ?? 0;
      isSame = isSame && words[1 + i] === word && words[5 + i] === local;
      words[1 + i] = word;
      words[5 + i] = local;
    }
    return isSame;
  }

  /** Copies the address that the source read last had asked: its family, 0 when the kernel did not say. */
  readAsked(words: Uint32Array): 0 | 4 | 6 {
    const local = this.#local;
    if ((local[0] ?? 0) === 0 && (local[1] ?? 0) === 0 && (local[2] ?? 0) === 0 && (local[3] ?? 0) === 0) {
      return 0;
    }
    const view = this.#localView;
    view.setUint16(0, this.#isInet ? FAMILY.inet : FAMILY.inet6, true);
    for (let i = 0; i < 4; i++) view.setUint32((this.#isInet ? 4 : 8) + i * 4, local[i] ?? 0, true);
    return readAddress(view, words);
  }

  #findLocal(slot: number): void {
    const local = this.#local;
    const control = this.#control;
    // Only a listener of all addresses is told: for the others this stays as it is.
    if (this.#isLocalKnown) local.fill(0);
    this.#isLocalKnown = false;
    this.interfaceIndex = 0;
    if ((this.#messages[slot * MESSAGE_WORDS + MESSAGE_WORD.controlBytes] ?? 0) === 0) return;
    const inet = this.#find(slot, LEVEL.ip, IP_OPTION.packetInfo);
    if (inet >= 0) {
      local[0] = control[inet + CONTROL_WORD.data + PACKET_INFO.source] ?? 0;
      this.#isLocalKnown = true;
      return;
    }
    const inet6 = this.#find(slot, LEVEL.ipv6, IP_OPTION.v6PacketInfo);
    if (inet6 < 0) return;
    const data = inet6 + CONTROL_WORD.data;
    for (let i = 0; i < 4; i++) local[i] = control[data + PACKET_INFO6.address + i] ?? 0;
    this.interfaceIndex = control[data + PACKET_INFO6.interface] ?? 0;
    this.#isLocalKnown = true;
  }

  /** Word at which a control message begins, -1 when there is none. */
  #find(slot: number, level: number, type: number): number {
    const bytes = this.#messages[slot * MESSAGE_WORDS + MESSAGE_WORD.controlBytes] ?? 0;
    const start = slot * CONTROL_ROOM_WORDS;
    const control = this.#control;
    for (let at = 0; at + CONTROL_HEADER_BYTES <= bytes;) {
      const word = start + at / 4;
      if (control[word + CONTROL_WORD.level] === level && control[word + CONTROL_WORD.type] === type) {
        return word;
      }
      const length = control[word + CONTROL_WORD.bytes] ?? 0;
      if (length < CONTROL_HEADER_BYTES) return -1;
      at += (length + 7) & ~7;
    }
    return -1;
  }
}
