/**
 * Why a frame or packet went no further: a closed list, each with a counter.
 *
 * @module
 */

export const PACKET_DROPS = [
  "malformed", // cut short, lying lengths, a wrong header checksum
  "foreign", // not for one of the engine's addresses
  "martian", // comes from outside and says it comes from the director itself
  "rule", // a rule said DROP or REJECT
  "director", // the director said so; it has its own reasons
  "no-route",
  "time-exceeded",
  "too-big",
  "unresolved", // nobody has the next hop's address
  "damaged", // an ICMP error whose checksum is wrong
] as const;
export type PacketDrop = typeof PACKET_DROPS[number];

/** One count for each reason. */
export class DropCounts {
  readonly #counts = new Float64Array(PACKET_DROPS.length);

  count(reason: PacketDrop): void {
    const index = PACKET_DROPS.indexOf(reason);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  toJSON(): Record<PacketDrop, number> {
    const record = {} as Record<PacketDrop, number>;
    PACKET_DROPS.forEach((reason, i) => record[reason] = this.#counts[i] ?? 0);
    return record;
  }
}
