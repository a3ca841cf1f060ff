/**
 * All virtual services of a daemon, and their change by difference.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import { suggestion } from "../config/nearest.ts";
import { serviceIdentity } from "../config/plan.ts";
import { ValueError } from "../errors.ts";
import type { HealthChange } from "../healthcheck/monitor.ts";
import type { ServiceReference } from "../simulator/script.ts";
import { formatKey } from "../simulator/script_writer.ts";
import type { Assembly } from "./assembly.ts";
import { VirtualService } from "./virtual_service.ts";

/** A removed service lives on until its connections ended or their time is over. */
interface Retired {
  readonly service: VirtualService;
  readonly deadlineMs: number;
  resetting: boolean;
}

/** The services in config order, and the ones that are on their way out. */
export class ServiceSet {
  readonly #assembly: Assembly;
  #current: VirtualService[] = [];
  readonly #retired = new Map<string, Retired>();
  #drain: Config["drain"] | undefined;

  constructor(assembly: Assembly) {
    this.#assembly = assembly;
  }

  get current(): readonly VirtualService[] {
    return this.#current;
  }

  /** Makes the set what `config` says. Services that did not change keep listeners, connections, counters and health. */
  async apply(config: Config): Promise<void> {
    this.#drain = config.drain;
    const known = new Map(this.#current.map((it) => [it.key, it]));
    const opened: VirtualService[] = [];
    this.#current = config.services.map((wished) => {
      const key = serviceIdentity(wished);
      const service = known.get(key) ?? this.#revive(key);
      known.delete(key);
      if (service !== undefined) {
        service.update(wished);
        opened.push(service);
        return service;
      }
      const fresh = new VirtualService(wished, this.#assembly);
      opened.push(fresh);
      return fresh;
    });
    // Old listeners close before new ones open: the new one may be the old address under another protocol or name.
    await Promise.all([...known.values()].map((service) => this.#retire(service)));
    await Promise.all(opened.map((service) => service.listener.open()));
  }

  healthChanged(id: string, change: HealthChange): void {
    for (const service of this.#current) service.healthChanged(id, change);
  }

  settleAll(): void {
    for (const service of this.#current) service.settle();
  }

  /** Handle of the service that is meant. @throws {ValueError} `SERVICE_UNKNOWN` */
  find(reference: ServiceReference): number {
    const found = "key" in reference
      ? this.#assembly.director.findService(reference.key)
      : this.#current.find((it) => it.config.name === reference.name)?.handle;
    if (found !== undefined) return found;
    const wished = "key" in reference ? formatKey(reference.key) : reference.name;
    const names = this.#current.map((it) => it.config.name);
    throw new ValueError(
      "SERVICE_UNKNOWN",
      `there is no service "${wished}"; there is ${names.join(", ") || "none"}${suggestion(wished, names)}`,
      { service: wished },
    );
  }

  nameOf(handle: number): string {
    const found = this.#current.find((it) => it.handle === handle) ??
      [...this.#retired.values()].find((it) => it.service.handle === handle)?.service;
    return found?.config.name ?? `service ${handle}`;
  }

  async closeListeners(reason: string): Promise<void> {
    await Promise.all(this.#current.map((it) => it.listener.close(reason)));
  }

  /** Lets go of retired services whose last connection ended, and resets what is left at their deadline. */
  sweepRetired(): void {
    const { engine, clock, events } = this.#assembly;
    for (const [key, retired] of this.#retired) {
      const { service, deadlineMs } = retired;
      if (engine.liveConnections(service.handle) === 0) {
        this.#retired.delete(key);
        events.forget(service.handle);
        service.remove();
      } else if (clock.nowMs() >= deadlineMs && !retired.resetting) {
        retired.resetting = true;
        void engine.resetAll(this.#drain?.spreadMs ?? 0, "service-removed", service.handle);
      }
    }
  }

  async #retire(service: VirtualService): Promise<void> {
    const deadlineMs = this.#assembly.clock.nowMs() + (this.#drain?.deadlineMs ?? 0);
    this.#retired.set(service.key, { service, deadlineMs, resetting: false });
    await service.listener.close("removed from the configuration");
  }

  #revive(key: string): VirtualService | undefined {
    const retired = this.#retired.get(key);
    this.#retired.delete(key);
    return retired?.service;
  }
}
