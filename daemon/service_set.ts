/**
 * All virtual services of a daemon, and their change by difference.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../config/model.ts";
import { suggestion } from "../config/nearest.ts";
import { serviceIdentity } from "../config/plan.ts";
import { LvsdError, ValueError } from "../errors.ts";
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
  /** Services that the last {@linkcode apply} took out and whose listeners are still open. */
  #leaving: readonly VirtualService[] = [];
  /** Services that ipvsadm deleted, by handle, as long as connections of theirs live and are spoken of. */
  readonly #deleted = new Map<number, string>();
  #isClosed = false;
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
   * Makes the file's part of the set what `config` says, but for what listens, which is for {@linkcode listen}. Services
   * that did not change keep connections, counters and health; those of ipvsadm are left alone, unless the file has come
   * to name them.
   *
   * @returns one line for each thing of ipvsadm's that this undid
   * @throws {DirectorError} `ENOMEM`, `EEXIST`, and everything is as it was
   */
  apply(config: Config): string[] {
    const known = new Map(this.#current.map((it) => [it.key, it]));
    const made: VirtualService[] = [];
    const updated: { readonly service: VirtualService; readonly before: ServiceConfig }[] = [];
    let fromFile: VirtualService[];
    try {
      fromFile = config.services.map((wished) => {
        const key = serviceIdentity(wished);
        const service = known.get(key) ?? this.#retired.get(key)?.service;
        if (service === undefined) {
          const fresh = new VirtualService(wished, this.#assembly);
          made.push(fresh);
          return fresh;
        }
        updated.push({ service, before: service.config });
        service.update(wished);
        return service;
      });
    } catch (error) {
      // Those made go first: the others may need their room back.
      for (const service of made) this.#remove(service);
      for (const { service, before } of updated.reverse()) this.#bringBack(service, before);
      throw error;
    }
    // From here on nothing is refused.
    this.#drain = config.drain;
    const notes = fromFile.flatMap(({ key, config: { name } }) => this.#claim(key, name));
    for (const { key } of fromFile) {
      known.delete(key);
      this.#revive(key);
    }
    const left = [...known.values()];
    const leaving = left.filter((it) => this.ownerOf(it) === "file");
    this.#current = [...fromFile, ...left.filter((it) => !leaving.includes(it))];
    this.#retire(leaving);
    this.#changedByTool.clear();
    return notes;
  }

  /** Closes and opens what the last {@linkcode apply} left to be done. Once {@linkcode closeListeners} was called, nothing opens. */
  async listen(): Promise<void> {
    // Old listeners close before new ones open: the new one may be the old address under another protocol or name.
    await Promise.all([
      ...this.#leaving.map((service) => service.listener.close("removed from the configuration")),
      ...this.#current.map((service) => service.closeOldListeners()),
    ]);
    this.#leaving = [];
    if (this.#isClosed) return;
    await Promise.all(this.#current.map((service) => service.listener.open()));
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
    const identity = serviceIdentity(config);
    this.#retired.get(identity)?.service.update(config);
    const revived = this.#revive(identity);
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
    this.#deleted.set(service.handle, service.config.name);
    service.remove();
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
      `there is no service "${wished}"; there are ${names.join(", ") || "none"}${suggestion(wished, names)}`,
      { service: wished },
    );
  }

  nameOf(handle: number): string {
    const found = this.#current.find((it) => it.handle === handle) ??
      [...this.#retired.values()].find((it) => it.service.handle === handle)?.service;
    return found?.config.name ?? this.#deleted.get(handle) ?? `service ${handle}`;
  }

  /** For good: a reload that is under way opens none of them again. */
  async closeListeners(reason: string): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#current.map((it) => it.listener.close(reason)));
  }

  /** Lets go of retired services whose last connection ended, and resets what is left at their deadline. */
  sweepRetired(): void {
    const { engine, clock, events } = this.#assembly;
    for (const handle of this.#deleted.keys()) {
      if (engine.liveConnections(handle) > 0) continue;
      this.#deleted.delete(handle);
      events.forget(handle);
    }
    for (const [key, retired] of this.#retired) {
      const { service, deadlineMs } = retired;
      if (this.#leaving.includes(service)) continue;
      if (engine.liveConnections(service.handle) === 0) {
        this.#retired.delete(key);
        this.#remove(service);
      } else if (clock.nowMs() >= deadlineMs && !retired.resetting) {
        retired.resetting = true;
        void engine.resetAll(this.#drain?.spreadMs ?? 0, "service-removed", service.handle);
      }
    }
  }

  #remove(service: VirtualService): void {
    service.remove();
    this.#assembly.events.forget(service.handle);
  }

  #bringBack(service: VirtualService, before: ServiceConfig): void {
    try {
      service.update(before);
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      this.#assembly.logger.error("service {service} could not be brought back: {problem}", {
        service: before.name,
        problem: error.message,
      });
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

  #retire(services: readonly VirtualService[]): void {
    const deadlineMs = this.#assembly.clock.nowMs() + (this.#drain?.deadlineMs ?? 0);
    for (const service of services) {
      this.#retired.set(service.key, { service, deadlineMs, resetting: false });
    }
    this.#leaving = services;
  }

  #revive(key: string): VirtualService | undefined {
    const retired = this.#retired.get(key);
    this.#retired.delete(key);
    return retired?.service;
  }
}
