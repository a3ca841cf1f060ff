/**
 * What a rule may look at of a packet, as numbers: no rule ever sees text.
 *
 * @module
 */
import type { Family } from "../net/address.ts";
import type { Flow } from "../net/flow.ts";

/** Connection states a rule may ask for; bits, so that a rule can name several. */
export const STATE = { new: 1, established: 2, related: 4, invalid: 8 } as const;
export type StateName = keyof typeof STATE;

/** The port could not be read (a later fragment, another protocol): no port match fits, negated ones neither. */
export const NO_PORT = -1;
/** Not known, or there is none. No interface or service match fits it, but a negated one does. */
export const UNKNOWN = -1;

/** Live connections by source, counted by whoever knows them. */
export interface SourceConnections {
  /** Live connections from the network of `prefixLength` bits around the address. */
  count(family: Family, address: Uint32Array, prefixLength: number): number;
}

/** One packet. Refilled for each: copy what is kept. */
export class PacketView {
  family: Family = 4;
  protocol = 0;
  /** Addresses as words (see `IpAddress`). */
  readonly source: Uint32Array = new Uint32Array(4);
  readonly destination: Uint32Array = new Uint32Array(4);
  sourcePort: number = NO_PORT;
  destinationPort: number = NO_PORT;
  /** Firewall mark as 32 unsigned bits; MARK writes it. */
  mark = 0;
  /** Interface indexes of the system. */
  inInterface: number = UNKNOWN;
  outInterface: number = UNKNOWN;
  /** One of {@linkcode STATE}. */
  state: number = STATE.new;
  /** What byte counters grow by. */
  bytes = 0;
  /** Index of the virtual service in the order that the rules were compiled with. */
  service: number = UNKNOWN;

  /** Written by REJECT: index in `REJECT_KINDS`. */
  rejectWith = 0;
  /** Written by the walk: number of the rule that decided, -1 when it was a policy. */
  rule = -1;
  /** Written by the walk: number of the base chain that decided. */
  chain = -1;

  /** Takes over a client's packet of a flow, as it comes in. The mark begins at 0. */
  fillFrom(flow: Flow): void {
    this.family = flow.family;
    this.protocol = flow.protocol;
    this.source.set(flow.client);
    this.destination.set(flow.virtual);
    this.sourcePort = flow.clientPort;
    this.destinationPort = flow.virtualPort;
    this.mark = 0;
    this.inInterface = UNKNOWN;
    this.outInterface = UNKNOWN;
    this.state = STATE.new;
    this.rule = -1;
    this.chain = -1;
  }
}
