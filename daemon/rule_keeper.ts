/**
 * The rules of a running daemon: compiled from the configuration, hung on the hooks, listed with their counters.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { RulesStatus } from "../admin/source.ts";
import type { Config } from "../config/model.ts";
import type { Director } from "../director/director.ts";
import { DROP_REASON } from "../director/verdict.ts";
import { RuleGate } from "../engines/rule_gate.ts";
import { ConnectionCounts } from "../hooks/connection_counts.ts";
import { Hooks } from "../hooks/hooks.ts";
import { type LoggedPacket, loggedPacket } from "../hooks/logged_packet.ts";
import { PacketView, UNKNOWN } from "../hooks/packet_view.ts";
import type { Chain, Rule } from "../hooks/rule.ts";
import { RuleSet } from "../hooks/rule_set.ts";
import type { Flow } from "../net/flow.ts";
import type { Random } from "../net/random.ts";
import { askRules, type RuleAnswer } from "./rule_question.ts";
import { rulesStatus } from "./rule_status.ts";

/** TCP states in which a connection is over, as `ipvsadm -Lc` prints them. */
const ENDED: ReadonlySet<string> = new Set(["TIME_WAIT", "CLOSE"]);

export interface RuleKeeperOptions {
  readonly director: Director;
  readonly random: Random;
  readonly logger: Logger;
  /** Name of a service by its handle. */
  readonly serviceName: (handle: number) => string;
  /** What the packet engine's worker has counted of the same rules. */
  readonly counted?: () => Float64Array | undefined;
  /** The worker's counters begin at 0 again. */
  readonly onZero?: () => void;
}

/** Keeps rules in step with the configuration. */
export class RuleKeeper {
  /** What an engine is given in the place of the director. */
  readonly gate: RuleGate;
  readonly #options: RuleKeeperOptions;
  readonly #director: Director;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #serviceName: (handle: number) => string;
  readonly #hooks = new Hooks();
  readonly #counts: ConnectionCounts;
  /** Numbers of services in the rules by handle, as far as somebody asked. */
  readonly #numbers = new Map<number, number>();
  #names: readonly string[] = [];

  constructor(options: RuleKeeperOptions) {
    const { director, random, logger, serviceName } = options;
    this.#options = options;
    this.#director = director;
    this.#random = random;
    this.#logger = logger;
    this.#serviceName = serviceName;
    this.#counts = new ConnectionCounts(random.below(2 ** 32));
    this.gate = new RuleGate({
      traffic: director,
      hooks: this.#hooks,
      counts: this.#counts,
      serviceNumber: (handle) => this.#numberOf(handle),
    });
  }

  /** Puts the rules of a configuration in force, at once. What did not change keeps its counters and tokens. */
  apply({ rules, services }: Config): void {
    this.#names = services.map((it) => it.name);
    this.namesChanged();
    const previous = this.#hooks.rules;
    const set = new RuleSet({
      chains: rules,
      // Interfaces are for packets; a configuration that names one is refused before it comes here.
      names: { services: this.#names, interfaces: [] },
      random: this.#random,
      connections: this.#counts,
      onLog: (rule, chain, view) => this.#log(rule, chain, view),
      ...(previous === undefined ? {} : { previous }),
    });
    this.#hooks.setRules(set);
    const wasNeeded = this.#counts.isNeeded;
    this.#counts.countBy(set.connectionSources);
    if (this.#counts.isNeeded && !wasNeeded) this.#countLiveConnections();
  }

  /** Whether any rule could speak about a new connection. */
  get areInForce(): boolean {
    return this.#hooks.hasRules;
  }

  /** Whether a rule asks how many connections there are. */
  get areCounted(): boolean {
    return this.#counts.isNeeded;
  }

  /** Whether a rule may give a packet this mark. */
  givesMark(mark: number): boolean {
    const rules = this.#hooks.rules?.chains.flatMap((it) => it.rules) ?? [];
    return rules.some(({ target }) =>
      target.kind === "mark" && (mark & target.mark.mask) >>> 0 === target.mark.value
    );
  }

  /** Services have other names, or other handles. */
  namesChanged(): void {
    this.#numbers.clear();
  }

  status(): RulesStatus {
    const set = this.#hooks.rules;
    return set === undefined ? { chains: [] } : rulesStatus(set, this.#options.counted?.());
  }

  /** What the rules would say of a new connection; writes their mark into the flow. */
  ask(flow: Flow, nowMs: number): RuleAnswer {
    const set = this.#hooks.rules;
    if (set === undefined) return { refusal: DROP_REASON.none, met: [] };
    const view = new PacketView();
    view.fillFrom(flow);
    view.service = this.#numberOf(flow.service);
    const answer = askRules(set, view, nowMs);
    flow.mark = view.mark;
    return answer;
  }

  /** Counters begin at 0 again. @returns them as they were */
  zero(): RulesStatus {
    const before = this.status();
    this.#hooks.rules?.zero();
    this.#options.onZero?.();
    return before;
  }

  #numberOf(handle: number): number {
    let number = this.#numbers.get(handle);
    if (number === undefined) {
      number = this.#names.indexOf(this.#serviceName(handle));
      this.#numbers.set(handle, number);
    }
    return number < 0 ? UNKNOWN : number;
  }

  /** Connections that were there before a rule asked for them. */
  #countLiveConnections(): void {
    for (const { entry, client, state } of this.#director.ownConnections()) {
      if (ENDED.has(state)) continue;
      this.#counts.opened(entry, client.address.family, client.address.words);
    }
  }

  /** Writes what a LOG rule said, here or in the packet engine's worker. */
  log({ level, ...facts }: LoggedPacket): void {
    this.#logger[level === "warning" ? "warn" : level](
      "{prefix}{chain} {protocol} {source} -> {destination} bytes {bytes} mark {mark}",
      facts,
    );
  }

  #log(rule: Rule, chain: Chain, view: PacketView): void {
    const packet = loggedPacket(rule, chain, view);
    if (packet !== undefined) this.log(packet);
  }
}
