/**
 * What socket engines do in the place of a verdict that only a packet engine can carry out.
 *
 * @module
 */
import type { Rule } from "../hooks/rule.ts";
import { PROTOCOL } from "../net/flow.ts";

const TCP_DROP = "a TCP connection is reset, since the system has accepted it before a rule is asked";
const TCP_REJECT = "a TCP connection is reset: a socket sends no ICMP for one that the system has accepted";
const UDP_REJECT = "a UDP datagram is dropped in silence: a socket sends no ICMP";

/** `""` when a rule is carried out as it says. */
export function emulationOf({ match: { protocols }, target }: Rule): string {
  const mayBe = (protocol: number) => protocols === undefined || protocols.includes(protocol);
  if (target.kind === "drop") return mayBe(PROTOCOL.tcp) ? TCP_DROP : "";
  if (target.kind !== "reject" || target.with === "tcp-reset") return "";
  return [mayBe(PROTOCOL.tcp) ? TCP_REJECT : "", mayBe(PROTOCOL.udp) ? UDP_REJECT : ""].filter((it) =>
    it !== ""
  )
    .join("; ");
}

/** The same for a chain's policy. */
export function emulationOfPolicy(policy: "accept" | "drop"): string {
  return policy === "drop" ? TCP_DROP : "";
}
