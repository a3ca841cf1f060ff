/**
 * A director on a clock that stands still until it is moved, spoken to in the recordings' words.
 *
 * @module
 */
import { ManualClock } from "../../clock.ts";
import { Director } from "../../director/director.ts";
import type { ServiceKey } from "../../director/specs.ts";
import { Store } from "../../director/store.ts";
import { DirectorError } from "../../errors.ts";
import { DirectorTable } from "../../ipvsadm/director_table.ts";
import { NO_NAMES } from "../../ipvsadm/names.ts";
import { runTool, type ToolAnswer } from "../../ipvsadm/tool.ts";
import { IpAddress } from "../../net/address.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import { Flow, PROTOCOL } from "../../net/flow.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import type { Conversation, Send } from "./conversation.ts";
import { MarkRule } from "./mark_rule.ts";
import type { Counters, FlowEvent } from "./recording.ts";
import type { Surroundings } from "./stall.ts";

/** Ends of a flow as the recordings write them. */
export type FlowText = Pick<FlowEvent, "ev" | "cip" | "cport" | "vip" | "vport">;

export interface WorldOptions {
  /** Whether the director's memory is shared between threads. */
  readonly shared?: boolean;
}

/** Not 0, so that nothing is mistaken for "never". */
const START_MS = 1_000_000;
const CAPACITIES = {
  services: 64,
  destinations: 1_024,
  persistenceTemplates: 4_096,
  schedulerCells: 1 << 21,
};
const CONNECTION_ENTRIES = 8_192;
const SYSCTL = /^sysctl (?:-q )?(?:-w )?net[./]ipv4[./]vs[./](\w+)=(\d+)$/;
/** Large enough for IPv4 and TCP headers; recordings do not compare bytes. */
const SEGMENT_BYTES = 40;

/** The director under test and what surrounds it. */
export class World implements Surroundings {
  readonly clock = new ManualClock(START_MS);
  readonly #director: Director;
  readonly #table: DirectorTable;
  readonly #markRules: MarkRule[] = [];
  /** Destinations by handle, and from when they are there for certain. */
  readonly #addedMs = new Map<number, number>();

  constructor(options: WorldOptions) {
    this.#director = new Director({
      store: Store.create({ ...options, capacities: CAPACITIES }),
      random: new SeededRandom(1),
      // The recorded kernel was built without twos.
      findScheduler: (name) => name === "twos" ? undefined : findScheduler(name),
      connectionEntries: CONNECTION_ENTRIES,
    });
    this.#table = new DirectorTable({
      director: this.#director,
      nowMs: () => this.clock.nowMs(),
      interfaces: () => [],
    });
  }

  /** Clock time of a recording's second. */
  timeOf(seconds: number): number {
    return START_MS + seconds * 1_000;
  }

  /** Lets time pass, timers of the director and repetitions of clients in their order. */
  advanceTo(seconds: number): void {
    this.clock.advance(this.timeOf(seconds) - this.clock.nowMs());
    this.#director.advance(this.clock.nowMs());
  }

  after(delayMs: number, run: () => void): void {
    this.clock.after(delayMs, run);
  }

  /** Runs ipvsadm with these words, which the kernel has done by `untilS`. */
  async ipvsadm(words: readonly string[], untilS = 0): Promise<ToolAnswer> {
    const before = new Set(this.#listed());
    const answer = await runTool({ words, stdin: "" }, this.#table, NO_NAMES);
    for (const handle of this.#listed()) {
      if (!before.has(handle)) this.#addedMs.set(handle, this.timeOf(untilS));
    }
    return answer;
  }

  /** Runs another command of a set-up: a firewall rule that marks, or a switch. */
  prepare(command: string): string | undefined {
    const [, name, value] = SYSCTL.exec(command) ?? [];
    if (name !== undefined) return this.setSysctl(name, Number(value));
    this.#markRules.push(new MarkRule(command));
    return undefined;
  }

  /** Sets a switch; a text when there is none of that name. */
  setSysctl(name: string, value: number): string | undefined {
    const switches: Record<string, number> = this.#director.sysctl;
    if (!(name in switches)) return `there is no switch ${name}`;
    try {
      switches[name] = value;
      return undefined;
    } catch (error) {
      if (error instanceof DirectorError) return error.message;
      throw error;
    }
  }

  flow({ ev, cip, cport, vip, vport }: FlowText): Flow {
    const flow = Flow.between(
      ev === "udp" ? PROTOCOL.udp : PROTOCOL.tcp,
      { address: IpAddress.parse(cip), port: cport },
      { address: IpAddress.parse(vip), port: vport },
    );
    for (const rule of this.#markRules) rule.apply(flow);
    return flow;
  }

  readonly send: Send = (flow, direction, flags) => {
    const nowMs = this.clock.nowMs();
    this.#director.advance(nowMs);
    return this.#director.segment(flow, direction, flags, SEGMENT_BYTES, nowMs);
  };

  /** All services with their lists, as /proc/net/ip_vs has them. */
  counters(): Counters {
    return Object.fromEntries(
      this.#director.services().map(({ handle, key }) => [
        serviceText(key),
        this.#director.destinationViews(handle).map((it) =>
          [formatEndpoint(it), it.weight, it.activeConns, it.inactiveConns] as [
            string,
            number,
            number,
            number,
          ]
        ),
      ]),
    );
  }

  /** State and time left of the flow's entry. */
  entryOf(flow: Flow): { state: string; remainingMs: number } | undefined {
    for (const { isTemplate, protocol, client, state, expiresMs } of this.#director.connections()) {
      if (isTemplate || protocol !== flow.protocol || client.port !== flow.clientPort) continue;
      if (client.address.words.every((word, i) => word === flow.client[i])) {
        return { state, remainingMs: expiresMs };
      }
    }
    return undefined;
  }

  /** All entries and templates, as `ipvsadm -Lcn` has them, without the time left. */
  connections(): string[] {
    return [...this.#director.connections()].map(({ protocol, client, virtual, destination, state }) => {
      const ends = `${formatEndpoint(client)} ${formatEndpoint(virtual)} -> ${formatEndpoint(destination)}`;
      return `${protocolText(protocol)} ${ends} ${state}`;
    });
  }

  /** Where the conversation's last packet went: the destination, and the address that got it. */
  chosen(conversation: Conversation): { dest: string; server: string } {
    if (conversation.destination < 0) return { dest: "none", server: "none" };
    const view = this.#director.destinationView(conversation.destination);
    return {
      dest: formatEndpoint(view),
      server: formatEndpoint({ ...view, port: conversation.destinationPort }),
    };
  }

  /** Address of a destination, by its handle. */
  hostOf(destination: number): string {
    return this.#director.destinationAddress(destination).host;
  }

  /** The conversation's destination as `SERVICE DESTINATION` in {@linkcode counters}; "" when it is in no list. */
  rowOf(conversation: Conversation): string {
    if (this.reachableFromMs(conversation) === undefined) return "";
    const view = this.#director.destinationView(conversation.destination);
    return `${serviceText(this.#director.serviceView(view.service).key)} ${formatEndpoint(view)}`;
  }

  reachableFromMs({ destination }: Conversation): number | undefined {
    return this.#listed().includes(destination) ? this.#addedMs.get(destination) ?? START_MS : undefined;
  }

  /** Handles of the destinations of all services. */
  #listed(): number[] {
    return this.#director.services().flatMap(({ handle }) =>
      this.#director.destinationViews(handle).map((view) => view.handle)
    );
  }
}

function serviceText(key: ServiceKey): string {
  return "mark" in key
    ? `fwm:${key.mark}`
    : `${protocolText(key.protocol).toLowerCase()}:${formatEndpoint(key)}`;
}

function protocolText(protocol: number): string {
  return Object.entries(PROTOCOL).find(([, number]) => number === protocol)?.[0].toUpperCase() ??
    `${protocol}`;
}
