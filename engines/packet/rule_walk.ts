/**
 * A packet's way through one hook: rules see it as numbers, the director's functions as it is.
 *
 * @module
 */
import { type Hook, REJECT_KINDS, type RejectKind, rejectKindFor, VERDICT } from "../../hooks/hook.ts";
import type { Hooks } from "../../hooks/hooks.ts";
import { NO_PORT, PacketView, STATE, UNKNOWN } from "../../hooks/packet_view.ts";
import { TCP_FLAG } from "../../net/flow.ts";
import { IP_PROTOCOL } from "../../packet/transport.ts";
import type { DropCounts } from "./drops.ts";
import type { HostStack } from "./host_stack.ts";
import type { IcmpErrors, PacketError } from "./icmp_errors.ts";
import { NO_INTERFACE, Passage } from "./passage.ts";

/** Errors by the names of iptables; a reset is none. */
const ERRORS: Readonly<Record<Exclude<RejectKind, "tcp-reset">, PacketError>> = {
  "icmp-port-unreachable": "portUnreachable",
  "icmp-host-unreachable": "hostUnreachable",
  "icmp-net-unreachable": "noRoute",
  "icmp-proto-unreachable": "protocolUnreachable",
  "icmp-host-prohibited": "hostProhibited",
  "icmp-net-prohibited": "netProhibited",
  "icmp-admin-prohibited": "prohibited",
  "icmp6-port-unreachable": "portUnreachable",
  "icmp6-addr-unreachable": "hostUnreachable",
  "icmp6-no-route": "noRoute",
  "icmp6-adm-prohibited": "prohibited",
};

/** What the walk needs. */
export interface WalkParts {
  readonly hooks: Hooks;
  readonly errors: IcmpErrors;
  readonly host: HostStack;
  readonly drops: DropCounts;
  /** Number of a packet's service in the rules; absent: rules about services fit nothing. */
  readonly serviceOf?: ((passage: Passage) => number) | undefined;
  /** Whether the director knows the packet's connection, as far as a rule asks; absent: nobody does. */
  readonly isKnown?: ((passage: Passage) => boolean) | undefined;
}

/** Leads packets through hooks. */
export class RuleWalk {
  /** The packet that is being led. */
  passage: Passage = new Passage();
  readonly #parts: WalkParts;
  readonly #view = new PacketView();

  constructor(parts: WalkParts) {
    this.#parts = parts;
  }

  /** Whether the packet goes on behind the hook. */
  run(hook: Hook, passage: Passage, nowMs: number, outInterface: number = UNKNOWN): boolean {
    const { hooks, drops } = this.#parts;
    const before = this.passage;
    const view = this.#view;
    this.passage = passage;
    if (hooks.hasRules) {
      fillView(view, passage, outInterface);
      view.service = this.#parts.serviceOf?.(passage) ?? UNKNOWN;
      view.state = this.#stateOf(passage);
    }
    const verdict = hooks.run(hook, view, nowMs);
    this.passage = before;
    if (verdict === VERDICT.accept) {
      if (hooks.hasRules) passage.mark = view.mark;
      return true;
    }
    // A function that dropped has counted its reason; `stolen` is none.
    if (verdict === VERDICT.drop && view.rule >= 0) drops.count("rule");
    if (verdict === VERDICT.reject) {
      drops.count("rule");
      this.#refuse(passage, view.rejectWith, nowMs);
    }
    return false;
  }

  /** A TCP segment says itself whether it begins something; of others the director knows the connection, or nobody. */
  #stateOf(passage: Passage): number {
    const { packet } = passage;
    if (packet.protocol === IP_PROTOCOL.tcp && packet.hasTransport) {
      const isFirst = (packet.tcpFlags & (TCP_FLAG.syn | TCP_FLAG.ack)) === TCP_FLAG.syn;
      return isFirst ? STATE.new : STATE.established;
    }
    return this.#parts.isKnown?.(passage) === true ? STATE.established : STATE.new;
  }

  #refuse(passage: Passage, rejectWith: number, nowMs: number): void {
    const kind = rejectKindFor(REJECT_KINDS[rejectWith] ?? "icmp-port-unreachable", passage.packet.family);
    if (kind === "tcp-reset") this.#parts.host.reset(passage, nowMs);
    else this.#parts.errors.report(passage, ERRORS[kind], nowMs);
  }
}

function fillView(view: PacketView, passage: Passage, outInterface: number): void {
  const { packet } = passage;
  view.family = packet.family;
  view.protocol = packet.protocol;
  packet.readSource(view.source);
  packet.readDestination(view.destination);
  view.sourcePort = packet.hasPorts ? packet.sourcePort : NO_PORT;
  view.destinationPort = packet.hasPorts ? packet.destinationPort : NO_PORT;
  view.mark = passage.mark;
  view.inInterface = passage.interfaceIndex === NO_INTERFACE ? UNKNOWN : passage.interfaceIndex;
  view.outInterface = outInterface;
  view.bytes = packet.length;
  view.rule = -1;
  view.chain = -1;
}
