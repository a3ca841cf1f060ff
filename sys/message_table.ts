/**
 * Records with which several messages go to the system, or come from it, in one call (`sendmmsg`, `recvmmsg`).
 *
 * @module
 */
import type { Address, PacketLibrary } from "./packet_library.ts";

/** `struct mmsghdr` and `struct iovec` of 64-bit Linux, in words of 32 bits. */
const MESSAGE_WORDS = 16;
const MESSAGE = { vectors: 4, vectorCount: 6, length: 14 } as const;
const VECTOR_WORDS = 4;
const WORD_BYTES = 4;
const WORD = 0x1_0000_0000;

/** A number of messages, each of the same number of vectors. */
export class MessageTable {
  /** For `sendMessages` and `receiveMessages`. */
  readonly messages: Address;
  /** For `writeVectors`. */
  readonly vectors: Address;
  readonly #messages: Uint32Array<ArrayBuffer>;
  readonly #vectors: Uint32Array<ArrayBuffer>;

  constructor(library: PacketLibrary, messages: number, vectorsOfEach: number) {
    this.#messages = new Uint32Array(messages * MESSAGE_WORDS);
    this.#vectors = new Uint32Array(messages * vectorsOfEach * VECTOR_WORDS);
    this.messages = library.pointerOf(this.#messages);
    this.vectors = library.pointerOf(this.#vectors);
    const base = library.addressOf(this.#vectors);
    for (let i = 0; i < messages; i++) {
      const vector = base + i * vectorsOfEach * VECTOR_WORDS * WORD_BYTES;
      const at = i * MESSAGE_WORDS + MESSAGE.vectors;
      this.#messages[at] = vector % WORD;
      this.#messages[at + 1] = Math.floor(vector / WORD);
      this.#messages[i * MESSAGE_WORDS + MESSAGE.vectorCount] = vectorsOfEach;
    }
  }

  /** Where vector `index` of all begins and how long it is. */
  setVector(index: number, address: number, length: number): void {
    const at = index * VECTOR_WORDS;
    this.#vectors[at] = address % WORD;
    this.#vectors[at + 1] = Math.floor(address / WORD);
    this.#vectors[at + 2] = length;
  }

  /** Vectors from `first` up to `end` take the places of the first ones. */
  moveVectors(first: number, end: number): void {
    this.#vectors.copyWithin(0, first * VECTOR_WORDS, end * VECTOR_WORDS);
  }

  /** Bytes of a message that came. */
  lengthOf(message: number): number {
    return this.#messages[message * MESSAGE_WORDS + MESSAGE.length] ?? 0;
  }
}
