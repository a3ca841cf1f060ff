/**
 * Rules in the packet engine's worker: chains from the control plane, connections counted here.
 *
 * @module
 */
import { ConnectionTable } from "../../director/connections.ts";
import type { Director } from "../../director/director.ts";
import { ConnectionCounts } from "../../hooks/connection_counts.ts";
import type { Hooks } from "../../hooks/hooks.ts";
import { type LoggedPacket, loggedPacket } from "../../hooks/logged_packet.ts";
import { type PacketView, UNKNOWN } from "../../hooks/packet_view.ts";
import type { Chain, Rule } from "../../hooks/rule.ts";
import { RuleSet } from "../../hooks/rule_set.ts";
import { LIMITS } from "../../limits.ts";
import { Flow, reversed } from "../../net/flow.ts";
import type { Random } from "../../net/random.ts";
import type { Link } from "./links.ts";
import type { Passage } from "./passage.ts";
import { type PackedRules, unpackChains } from "./rule_transfer.ts";

/** Keeps the worker's rules. */
export class WorkerRules {
  readonly #hooks: Hooks;
  readonly #random: Random;
  readonly #director: Director;
  readonly #counts: ConnectionCounts;
  readonly #flow = new Flow();
  readonly #back = new Flow();
  readonly #table: ConnectionTable;
  readonly #onLog: (packet: LoggedPacket) => void;
  #logsLeft: number = LIMITS.packetLogsPerTurn;
  #numbers: ReadonlyMap<number, number> = new Map();
  #areStatesAsked = false;

  /** @param onLog told of packets that a LOG rule met, so many in each {@linkcode turn}; the rule's counter knows all */
  constructor(
    hooks: Hooks,
    director: Director,
    random: Random,
    onLog: (packet: LoggedPacket) => void = () => {},
  ) {
    this.#onLog = onLog;
    this.#hooks = hooks;
    this.#director = director;
    this.#table = ConnectionTable.attach(director.store, director.connectionMemory);
    this.#random = random;
    this.#counts = new ConnectionCounts(random.below(2 ** 32));
  }

  /** Puts rules in force; what did not change keeps its tokens. */
  set({ chains, services, numbers, counters }: PackedRules, links: readonly Link[]): void {
    const previous = this.#hooks.rules;
    const unpacked = unpackChains(chains);
    this.#areStatesAsked = unpacked.flatMap((it) => it.rules)
      .some(({ match, not }) => match.states !== undefined || not?.states !== undefined);
    const set = new RuleSet({
      chains: unpacked,
      names: { services, interfaces: links },
      random: this.#random,
      connections: this.#counts,
      onLog: (rule, chain, view) => this.#log(rule, chain, view),
      ...(previous === undefined ? {} : { previous }),
      ...(counters === undefined ? {} : { counters: new Float64Array(counters) }),
    });
    this.#numbers = new Map(numbers);
    this.#hooks.setRules(set);
    this.#counts.countBy(set.connectionSources);
  }

  /** A turn of the loop ended: LOG may speak again. */
  turn(): void {
    this.#logsLeft = LIMITS.packetLogsPerTurn;
  }

  #log(rule: Rule, chain: Chain, view: PacketView): void {
    if (this.#logsLeft <= 0) return;
    const packet = loggedPacket(rule, chain, view);
    if (packet === undefined) return;
    this.#logsLeft--;
    this.#onLog(packet);
  }

  /** Counters begin at 0 again. */
  zero(): void {
    this.#hooks.rules?.zero();
  }

  /** A connection began. */
  opened(entry: number, flow: Flow): void {
    if (entry > 0) this.#counts.opened(entry, flow.family, flow.client);
  }

  /** A connection ended. */
  ended(entry: number): void {
    this.#counts.closed(entry);
  }

  /** Number of the service that a packet is for, in the order of the rules. */
  serviceOf(passage: Passage): number {
    return this.#numbers.get(this.#director.serviceOf(this.#read(passage))) ?? UNKNOWN;
  }

  /** Whether a packet is of a known connection, a client's or a real server's; false when no rule asks. */
  isKnown(passage: Passage): boolean {
    if (!this.#areStatesAsked || !passage.packet.hasPorts) return false;
    const flow = this.#read(passage);
    return this.#table.find(flow, false) !== 0 || this.#table.find(reversed(flow, this.#back), true) !== 0;
  }

  #read({ packet, mark }: Passage): Flow {
    const flow = this.#flow;
    packet.readSource(flow.client);
    packet.readDestination(flow.virtual);
    flow.family = packet.family;
    flow.protocol = packet.protocol;
    flow.clientPort = packet.sourcePort;
    flow.virtualPort = packet.destinationPort;
    flow.mark = mark;
    return flow;
  }
}
