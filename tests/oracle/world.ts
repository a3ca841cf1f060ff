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
import { IpAddress } from "../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { Flow, PROTOCOL } from "../../net/flow.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import type { Conversation, Send } from "./conversation.ts";
import type { Command } from "./ipvsadm_arguments.ts";
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
/** ipvsadm's exit code when the kernel refuses. */
const REFUSED = 255;
const CAPACITIES = { services: 16, destinations: 64, persistenceTemplates: 1_024, schedulerCells: 1 << 20 };
const CONNECTION_ENTRIES = 8_192;
/** Large enough for IPv4 and TCP headers; recordings do not compare bytes. */
const SEGMENT_BYTES = 40;

/** The director under test and what surrounds it. */
export class World implements Surroundings {
  readonly clock = new ManualClock(START_MS);
  readonly #director: Director;
  readonly #markRules: MarkRule[] = [];
  /** Destinations by handle, and from when they are there for certain. */
  readonly #addedMs = new Map<number, number>();

  constructor(options: WorldOptions) {
    this.#director = new Director({
      store: Store.create({ ...options, capacities: CAPACITIES }),
      random: new SeededRandom(1),
      findScheduler,
      connectionEntries: CONNECTION_ENTRIES,
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

  /** Makes one change, which the kernel has made by `untilS`; the exit code that ipvsadm would have. */
  apply(command: Command, untilS = 0): number {
    try {
      this.#change(command, this.timeOf(untilS));
      return 0;
    } catch (error) {
      if (error instanceof DirectorError) return REFUSED;
      throw error;
    }
  }

  addMarkRule(command: string): void {
    this.#markRules.push(new MarkRule(command));
  }

  /** Sets a switch; a text when there is none of that name. */
  setSysctl(name: string, value: number): string | undefined {
    const switches: Record<string, number> = this.#director.sysctl;
    if (!(name in switches)) return `there is no switch ${name}`;
    switches[name] = value;
    return undefined;
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

  /** The conversation's destination as `SERVICE DESTINATION` in {@linkcode counters}; "" when it is in no list. */
  rowOf(conversation: Conversation): string {
    if (this.reachableFromMs(conversation) === undefined) return "";
    const view = this.#director.destinationView(conversation.destination);
    return `${serviceText(this.#director.serviceView(view.service).key)} ${formatEndpoint(view)}`;
  }

  reachableFromMs({ destination }: Conversation): number | undefined {
    const isListed = this.#director.services().some(({ handle }) =>
      this.#director.destinationViews(handle).some((view) => view.handle === destination)
    );
    return isListed ? this.#addedMs.get(destination) ?? START_MS : undefined;
  }

  #change(command: Command, untilMs: number): void {
    const nowMs = this.clock.nowMs();
    const director = this.#director;
    switch (command.kind) {
      case "addService":
        director.addService(command.spec, nowMs);
        return;
      case "editService":
        return director.editService(this.#service(command.spec.key), command.spec, nowMs);
      case "deleteService":
        return director.deleteService(this.#service(command.key), nowMs);
      case "addDestination":
        this.#addedMs.set(director.addDestination(this.#service(command.key), command.spec, nowMs), untilMs);
        return;
      case "editDestination":
        return director.editDestination(this.#destination(command.key, command.spec), command.spec, nowMs);
      case "deleteDestination":
        return director.deleteDestination(this.#destination(command.key, command.endpoint), nowMs);
      case "setTimeouts": {
        const { tcpMs, tcpFinMs, udpMs } = command;
        return director.setTimeouts({ tcpMs, tcpFinMs, udpMs });
      }
    }
  }

  #service(key: ServiceKey): number {
    const handle = this.#director.findService(key);
    if (handle === undefined) throw new DirectorError("ESRCH", `there is no service ${serviceText(key)}`);
    return handle;
  }

  #destination(key: ServiceKey, endpoint: Endpoint): number {
    const handle = this.#director.findDestination(this.#service(key), endpoint);
    if (handle === undefined) {
      throw new DirectorError("ENOENT", `${serviceText(key)} has no destination ${formatEndpoint(endpoint)}`);
    }
    return handle;
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
