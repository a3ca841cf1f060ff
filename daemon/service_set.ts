/**
 * All virtual services of a daemon, and their change by difference.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../config/model.ts";
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

/** Who made a service. A reload touches the file's services only. */
export type ServiceOwner = "file" | "ipvsadm";

/** The file's services in its order, then ipvsadm's; and the ones that are on their way out. */
export class ServiceSet {
  readonly #assembly: Assembly;
  #current: VirtualService[] = [];
  readonly #retired = new Map<string, Retired>();
  #drain: Config["drain"] | undefined;
  /** Identities of services that ipvsadm made. */
  readonly #ownedByTool = new Set<string>();
  /** Identities of the file's services that ipvsadm has changed or deleted since the last reload. */
  readonly #changedByTool = new Set<string>();

  constructor(assembly: Assembly) {
    this.#assembly = assembly;
  }

  get current(): readonly VirtualService[] {
    return this.#current;
  }

  /**
   * Makes the file's part of the set what `config` says. Services that did not change keep listeners, connections,
   * counters and health; those of ipvsadm are left alone, unless the file has come to name them.
   *
   * @returns one line for each thing of ipvsadm's that this undid
   */
  async apply(config: Config): Promise<string[]> {
    this.#drain = config.drain;
    const known = new Map(this.#current.map((it) => [it.key, it]));
    const opened: VirtualService[] = [];
    const notes: string[] = [];
    const fromFile = config.services.map((wished) => {
      const key = serviceIdentity(wished);
      notes.push(...this.#claim(key, wished.name));
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
    const left = [...known.values()];
    const gone = left.filter((it) => this.ownerOf(it) === "file");
    this.#current = [...fromFile, ...left.filter((it) => !gone.includes(it))];
    this.#changedByTool.clear();
    // Old listeners close before new ones open: the new one may be the old address under another protocol or name.
    await Promise.all(gone.map((service) => this.#retire(service)));
    await Promise.all(opened.map((service) => service.listener.open()));
    return notes;
  }

  ownerOf({ key }: VirtualService): ServiceOwner {
    return this.#ownedByTool.has(key) ? "ipvsadm" : "file";
  }

  /** Whether a service with this identity was removed by a reload and lives on until its connections have ended. */
  isLeaving(identity: string): boolean {
    return this.#retired.has(identity);
  }

  /** Whether ipvsadm has changed a service of the file since the last reload. */
  isChanged({ key }: VirtualService): boolean {
    return this.#changedByTool.has(key);
  }

  /**
   * Makes a service for ipvsadm; resolves when it listens or is known to be unbound.
   *
   * @throws {DirectorError} `ENOENT`, `ENOMEM`, and nothing is made
   */
  async add(config: ServiceConfig): Promise<void> {
    const revived = this.#revive(serviceIdentity(config));
    revived?.update(config);
    const service = revived ?? new VirtualService(config, this.#assembly);
    if (!this.#changedByTool.has(service.key)) this.#ownedByTool.add(service.key);
    this.#current = [...this.#current, service];
    await service.listener.open();
  }

  /**
   * Changes a service for ipvsadm.
   *
   * @throws {DirectorError} and the service is as it was
   */
  change(service: VirtualService, config: ServiceConfig): void {
    const before = service.config;
    try {
      service.update(config);
    } catch (error) {
      service.update(before);
      throw error;
    }
    this.#noteChange(service);
  }

  /** Deletes a service at once for ipvsadm; connections that live go on by themselves. */
  async delete(service: VirtualService): Promise<void> {
    this.#noteChange(service);
    this.#ownedByTool.delete(service.key);
    this.#current = this.#current.filter((it) => it !== service);
    await service.listener.close("deleted by ipvsadm");
    service.remove();
    this.#assembly.events.forget(service.handle);
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

  #noteChange(service: VirtualService): void {
    if (this.ownerOf(service) === "file") this.#changedByTool.add(service.key);
  }

  /** The file names this service: it is the file's now, as the file has it. */
  #claim(key: string, name: string): string[] {
    if (this.#ownedByTool.delete(key)) return [`service "${name}" was made by ipvsadm and is the file's now`];
    return this.#changedByTool.has(key) ? [`service "${name}": changes made by ipvsadm undone`] : [];
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
