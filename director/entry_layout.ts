/**
 * Where everything is in a connection entry: 32 words, two cache lines, of which the way of a known packet touches
 * both and nothing else.
 *
 * @module
 */

/** Words of an entry. */
export const ENTRY = {
  /** Above 0 while the entry is in use. */
  handle: 0,
  slotLink: 1,
  hashLink: 2,
  /** IP protocol, family << 8. */
  kind: 3,
  /** Client port << 16, virtual port. */
  ports: 4,
  client: 5,
  virtual: 9,
  /** Handle of the destination. */
  destination: 13,
  destinationPort: 14,
  state: 15,
  /** `ENTRY_FLAG` bits. */
  flags: 16,
  /** Row of the persistence template it hangs on, 0 for none. */
  template: 17,
  inPackets: 18,
  wheelNext: 19,
  wheelPrevious: 20,
  wheelBucket: 21,
  /** Entries that ended, in the order they did. */
  endedNext: 22,
  endedPrevious: 23,
  /** 1 while it is in the list of ended ones. */
  ended: 24,
  /** 1 while it is in the hash table. */
  hashed: 25,
} as const;
export const ENTRY_WORDS = 32;

/** Floats of an entry, as indices of a row of 16: they are the words 28 to 31. */
export const ENTRY_TIME = { expiresMs: 14, timeoutMs: 15 } as const;
export const ENTRY_TIMES = ENTRY_WORDS / 2;
