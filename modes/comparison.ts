/**
 * The forwarding methods beside each other, as people choose between them.
 *
 * @module
 */
import type { ForwardingMethodName } from "./rules.ts";

/** One row of the table. */
export interface Comparison {
  readonly title: string;
  readonly answers: Readonly<Record<ForwardingMethodName, string>>;
}

/** Rows in the order in which they are asked about. */
export const COMPARISON: readonly Comparison[] = [
  {
    title: "real server's system",
    answers: { nat: "any", dr: "must hide the VIP from ARP", tun: "must take tunnel packets apart" },
  },
  {
    title: "real server's network",
    answers: { nat: "any whose way back is the director", dr: "the director's own segment", tun: "any" },
  },
  {
    title: "real server's gateway",
    answers: { nat: "the director", dr: "any router but the director", tun: "any router" },
  },
  {
    title: "real server owns the VIP",
    answers: { nat: "no", dr: "yes, on lo", tun: "yes, on lo or the tunnel" },
  },
  {
    title: "reply path",
    answers: { nat: "through the director", dr: "straight to the client", tun: "straight to the client" },
  },
  {
    title: "director carries",
    answers: { nat: "both directions", dr: "requests only", tun: "requests only" },
  },
  {
    title: "what the director sees",
    answers: { nat: "the whole connection", dr: "the client's half", tun: "the client's half" },
  },
  { title: "real servers, roughly", answers: { nat: "10 to 20", dr: "100 and more", tun: "100 and more" } },
  {
    title: "bytes taken from the MTU",
    answers: { nat: "0", dr: "0", tun: "20 ipip, 24 or 28 gre, 32 gue" },
  },
];
