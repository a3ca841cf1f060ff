/**
 * A director on a clock of its own, spoken to in the words of a script.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import { suggestion } from "../config/nearest.ts";
import { destinationSpecification, serviceSpecification } from "../config/specification.ts";
import type { FindScheduler } from "../director/bound_schedulers.ts";
import { Director } from "../director/director.ts";
import type { ServiceSpec } from "../director/specs.ts";
import { Store } from "../director/store.ts";
import { KERNEL_SYSCTL_NAMES, writeSysctl } from "../director/sysctl_text.ts";
import { ACTION, DROP_REASON, type Verdict } from "../director/verdict.ts";
import { DirectorError, ValueError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Endpoint, formatEndpoint, isNamed } from "../net/endpoint.ts";
import { DIRECTION, type Direction, type Flow, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
import { SeededRandom } from "../net/random.ts";
import { type Directory, flowOf, serviceOf } from "./flows.ts";
import type { FlowReference, ServiceReference, Step } from "./script.ts";
import { formatFlow, formatKey } from "./script_writer.ts";

/** What the director said to a step that asked it for a destination. */
export interface Decision {
  /** Handle of the service, or -1. */
  readonly service: number;
  /** Handle of the destination, or -1. */
  readonly destination: number;
  /** Where the connection goes. */
  readonly server?: Endpoint;
  /** Word of `DROP_REASON` in kebab-case, when it goes nowhere. */
  readonly refusal?: string;
  /** True for a new connection, false for one that has its entry. */
  readonly isNew: boolean;
}

export interface WorldOptions {
  readonly findScheduler: FindScheduler;
  readonly seed: number;
}

/** The director, the names of its services and the connections by label. */
export class World implements Directory {
  readonly director: Director;
  nowMs = 0;
  readonly #names = new Map<string, number>();
  readonly #flows = new Map<string, Flow>();

  constructor({ findScheduler, seed }: WorldOptions) {
    this.director = new Director({ store: Store.create(), random: new SeededRandom(seed), findScheduler });
  }

  /**
   * Adds what a config says, all real servers up. Rules, health checks and sorry servers are not part of a director.
   *
   * @throws {ValueError} `NAME_UNRESOLVED` for a destination without an address
   */
  configure(config: Config): void {
    this.director.setTimeouts(config.timeouts);
    for (const name of KERNEL_SYSCTL_NAMES) {
      const value = config.ipvs[name];
      if (value !== undefined) writeSysctl(this.director.sysctl, name, value);
    }
    for (const service of config.services) {
      const handle = this.director.addService(serviceSpecification(service), this.nowMs);
      this.#names.set(service.name, handle);
      for (const destination of service.destinations) {
        const { endpoint } = destination;
        if (isNamed(endpoint)) {
          throw new ValueError(
            "NAME_UNRESOLVED",
            `service "${service.name}": a simulation looks up no names; write the address of ${endpoint.host}`,
            { host: endpoint.host },
          );
        }
        const specification = destinationSpecification(destination, endpoint, service.mode);
        this.director.addDestination(handle, specification, this.nowMs);
      }
    }
  }

  /** Lets time pass in the daemon's steps, so that timers fire when they would. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(this.nowMs + LIMITS.directorTickMs, endMs);
      this.director.advance(this.nowMs);
    }
  }

  /**
   * Does one step.
   *
   * @returns the director's word when the step asked for one: of several datagrams or segments the first
   * @throws {DirectorError | ValueError} the step cannot be done
   */
  apply(step: Step): Decision | undefined {
    switch (step.verb) {
      case "wait":
        return void this.advance(step.ms);
      case "advance":
        return void this.director.advance(this.nowMs);
      case "timeouts":
        return void this.director.setTimeouts(step.timeouts);
      case "sysctl":
        return void this.#setSysctl(step.name, step.value);
      case "service":
      case "change":
      case "remove":
        return void this.#changeService(step);
      case "add":
      case "edit":
      case "weight":
      case "delete":
      case "order":
        return void this.#changeDestinations(step);
      default:
        return this.#pass(step);
    }
  }

  /** A service's name in the config, or its key. */
  serviceName(handle: number): string {
    for (const [name, service] of this.#names) if (service === handle) return name;
    const view = this.director.services().find((it) => it.handle === handle);
    return view === undefined ? "-" : formatKey(view.key);
  }

  /** Handle of a service. @throws {ValueError} `SERVICE_UNKNOWN` */
  service(reference: ServiceReference): number {
    const found = "key" in reference
      ? this.director.findService(reference.key)
      : this.#names.get(reference.name);
    if (found !== undefined) return found;
    const wished = "key" in reference ? formatKey(reference.key) : reference.name;
    const names = this.director.services().map(({ handle }) => this.serviceName(handle));
    throw new ValueError(
      "SERVICE_UNKNOWN",
      `there is no service "${wished}"; there are ${names.join(", ") || "none"}${suggestion(wished, names)}`,
    );
  }

  /** The flow of a reference: the one that was opened, so that it keeps its entry, or a fresh one. */
  flow(reference: FlowReference): Flow {
    const label = "label" in reference ? reference.label : formatFlow(reference);
    const known = this.#flows.get(label);
    if (known !== undefined) return known;
    if ("label" in reference) throw new ValueError("FLOW_UNKNOWN", `no connection was opened as "${label}"`);
    const flow = flowOf(reference, this);
    this.#flows.set(label, flow);
    return flow;
  }

  #setSysctl(name: string, value: number): void {
    const switches: Record<string, number> = this.director.sysctl;
    if (!Object.hasOwn(switches, name)) throw new ValueError("SYSCTL_UNKNOWN", `there is no switch ${name}`);
    switches[name] = value;
  }

  #changeService(step: Extract<Step, { verb: "service" | "change" | "remove" }>): void {
    const { director, nowMs } = this;
    if (step.verb === "service") return void director.addService({ key: step.key, ...step.settings }, nowMs);
    const handle = this.service(step.service);
    if (step.verb === "remove") return director.deleteService(handle, nowMs);
    const spec: ServiceSpec = { key: director.serviceView(handle).key, ...step.settings };
    director.editService(handle, spec, nowMs);
  }

  #changeDestinations(
    step: Extract<Step, { verb: "add" | "edit" | "weight" | "delete" | "order" }>,
  ): void {
    const { director, nowMs } = this;
    const service = this.service(step.service);
    switch (step.verb) {
      case "add":
        director.addDestination(service, step.destination, nowMs);
        break;
      case "edit":
        director.editDestination(this.#destination(service, step.destination), step.destination, nowMs);
        break;
      case "weight":
        director.setWeight(this.#destination(service, step.destination), step.weight, nowMs);
        break;
      case "delete":
        director.deleteDestination(this.#destination(service, step.destination), nowMs);
        break;
      case "order":
        director.orderDestinations(
          service,
          step.destinations.map((it) => this.#destination(service, it)),
          nowMs,
        );
    }
  }

  #destination(service: number, endpoint: Endpoint): number {
    const found = this.director.findDestination(service, endpoint);
    if (found !== undefined) return found;
    throw new DirectorError(
      "ENOENT",
      `service ${this.serviceName(service)} has no destination ${formatEndpoint(endpoint)}`,
    );
  }

  #pass(step: Extract<Step, { flow: unknown }>): Decision | undefined {
    const { director, nowMs } = this;
    const flow = this.flow(step.flow);
    if (step.verb === "open" && step.label !== undefined) this.#flows.set(step.label, flow);
    const send = (direction: Direction, flags: number, bytes = 0) =>
      director.segment(flow, direction, flags, bytes, nowMs);
    const { syn, ack, fin, rst } = TCP_FLAG;
    const isTcp = flow.protocol === PROTOCOL.tcp;
    switch (step.verb) {
      case "open": {
        const decision = this.#decision(send(DIRECTION.input, isTcp ? syn : 0));
        if (decision.refusal === undefined && isTcp) {
          send(DIRECTION.output, syn | ack);
          send(DIRECTION.input, ack);
        }
        return decision;
      }
      case "close":
        if (!isTcp) return undefined;
        send(DIRECTION.input, fin | ack);
        send(DIRECTION.output, fin | ack);
        send(DIRECTION.input, ack);
        return undefined;
      case "reset":
        if (isTcp) send(step.by, rst);
        return undefined;
      case "data": {
        const decision = this.#decision(send(DIRECTION.input, isTcp ? ack : 0, step.bytes));
        if (decision.refusal === undefined) send(DIRECTION.output, isTcp ? ack : 0, step.bytes);
        return decision;
      }
      case "segment":
        flow.packets = step.packets;
        return this.#decision(send(step.direction, step.flags, step.bytes));
      case "retry": {
        const service = serviceOf(director, flow) ?? -1;
        const failed = step.failed.map((it) =>
          service < 0 ? -1 : director.findDestination(service, it) ?? -1
        );
        return this.#decision(director.reschedule(flow, failed, nowMs));
      }
      case "forget":
        return void director.forget(flow, nowMs);
    }
  }

  #decision({ action, reason, service, destination, destinationPort, isNew }: Verdict): Decision {
    if (action !== ACTION.forward) {
      return { service, destination, refusal: refusalWord(reason), isNew: false };
    }
    const { address } = this.director.destinationView(destination);
    return { service, destination, server: { address, port: destinationPort }, isNew };
  }
}

/** `no-destination` and the like: the word of a drop reason. */
export function refusalWord(reason: number): string {
  const name = Object.entries(DROP_REASON).find(([, number]) => number === reason)?.[0] ?? "none";
  return name.replace(/[A-Z]/g, (it) => `-${it.toLowerCase()}`);
}
