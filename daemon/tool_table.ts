/**
 * The table of ipvsadm over a running daemon: services with listeners and health, made and changed by commands.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { ServiceConfig } from "../config/model.ts";
import { validateDestination } from "../director/destination_rules.ts";
import type { Director } from "../director/director.ts";
import { keyText } from "../director/services.ts";
import type { ServiceKey } from "../director/specs.ts";
import { DirectorError } from "../errors.ts";
import { DirectorTable } from "../ipvsadm/director_table.ts";
import { destinationSpec, refuseAddress, refuseThresholds } from "../ipvsadm/kernel_rules.ts";
import { familyOf } from "../ipvsadm/order.ts";
import type {
  DestinationAddress,
  DestinationRule,
  ServiceRule,
  SyncRule,
  SyncState,
  TimeoutRule,
} from "../ipvsadm/rules.ts";
import type { NetworkInterface } from "../ipvsadm/sync_daemons.ts";
import type { ServiceRow } from "../ipvsadm/table.ts";
import type { Engines } from "./engines.ts";
import type { Member } from "./member.ts";
import {
  destinationConfigOf,
  hasSocket,
  identityOf,
  reasonUnserved,
  serviceConfigOf,
  unsaidSettings,
} from "./ruled_service.ts";
import type { ServiceSet } from "./service_set.ts";
import type { KeptTable } from "./tool_desk.ts";
import { ToolRows } from "./tool_rows.ts";
import type { Turns } from "./turns.ts";
import type { VirtualService } from "./virtual_service.ts";

export interface ToolTableOptions {
  readonly director: Director;
  readonly services: ServiceSet;
  readonly engines: Engines;
  readonly turns: Turns;
  readonly logger: Logger;
  readonly nowMs: () => number;
  readonly interfaces: () => readonly NetworkInterface[];
  /** Whether a rule in force gives packets this mark: then they come to its service, from whichever listener. */
  readonly givesMark: (mark: number) => boolean;
  /** A reason why nothing may be changed now. */
  readonly refusal: () => string | undefined;
}

/** Services for which a socket can stand have listeners; the others are kept by the director alone and forward nothing. */
export class ToolTable extends DirectorTable implements KeptTable {
  readonly #director: Director;
  readonly #services: ServiceSet;
  readonly #turns: Turns;
  readonly #logger: Logger;
  readonly #refusal: () => string | undefined;
  readonly #givesMark: (mark: number) => boolean;
  readonly #rows: ToolRows;
  readonly #unsaid: ServiceConfig = unsaidSettings();
  #changes = 0;
  #timeoutsSet = false;

  constructor(options: ToolTableOptions) {
    super(options);
    this.#director = options.director;
    this.#services = options.services;
    this.#turns = options.turns;
    this.#logger = options.logger;
    this.#refusal = options.refusal;
    this.#givesMark = options.givesMark;
    this.#rows = new ToolRows(options);
  }

  get changes(): number {
    return this.#changes;
  }

  get timeoutsSet(): boolean {
    return this.#timeoutsSet;
  }

  /** Services that the director alone keeps. */
  get unserved(): KeptTable["unserved"] {
    const served = new Set(this.#services.current.map((it) => it.key));
    return this.#director.services().flatMap(({ key }) => {
      const reason = reasonUnserved(key, this.#givesMark);
      const identity = identityOf(key) ?? "";
      if (reason === undefined || served.has(identity) || this.#services.isLeaving(identity)) return [];
      return [{ service: keyText(key), reason }];
    });
  }

  override services(): readonly ServiceRow[] {
    return this.#rows.of(super.services());
  }

  override addService(rule: ServiceRule): Promise<void> {
    return this.#change(async () => {
      const { key } = rule;
      if (!hasSocket(key)) {
        await super.addService(rule);
        const reason = reasonUnserved(key, this.#givesMark);
        if (reason !== undefined) {
          this.#logger.warn("a service that forwards nothing was added: {reason}", { reason });
        }
        return;
      }
      const identity = identityOf(key) ?? "";
      if (this.#services.current.some((it) => it.key === identity)) {
        throw new DirectorError("EEXIST", "this virtual service already exists; edit it or delete it first");
      }
      const config = serviceConfigOf(rule, this.#unsaid);
      await this.#services.add({ ...config, name: this.#nameFor(identity) });
    });
  }

  override editService(rule: ServiceRule): Promise<void> {
    return this.#change(async () => {
      const service = this.#serviceOf(rule.key);
      if (service === undefined) return await super.editService(rule);
      this.#services.change(service, serviceConfigOf(rule, service.config));
    });
  }

  override deleteService(key: ServiceKey): Promise<void> {
    return this.#change(async () => {
      const service = this.#serviceOf(key);
      await (service === undefined ? super.deleteService(key) : this.#services.delete(service));
    });
  }

  override addDestination(key: ServiceKey, rule: DestinationRule): Promise<void> {
    return this.#change(async () => {
      const service = this.#serviceOf(key);
      if (service === undefined) return await super.addDestination(key, rule);
      this.refuseMixedSync(key, rule);
      refuseThresholds(rule);
      refuseAddress(rule);
      validateDestination(destinationSpec(rule), familyOf(key));
      if (memberAt(service, rule) !== undefined) {
        throw new DirectorError("EEXIST", "this destination already exists; edit it or delete it first");
      }
      const { config } = service;
      this.#services.change(service, {
        ...config,
        destinations: [...config.destinations, destinationConfigOf(rule)],
      });
    });
  }

  override editDestination(key: ServiceKey, rule: DestinationRule): Promise<void> {
    return this.#change(async () => {
      const service = this.#serviceOf(key);
      if (service === undefined) return await super.editDestination(key, rule);
      this.refuseMixedSync(key, rule);
      refuseThresholds(rule);
      const { config } = requireMember(service, rule);
      this.#replace(service, (it) => it === config ? [destinationConfigOf(rule, it)] : [it]);
    });
  }

  override deleteDestination(key: ServiceKey, address: DestinationAddress): Promise<void> {
    return this.#change(async () => {
      const service = this.#serviceOf(key);
      if (service === undefined) return await super.deleteDestination(key, address);
      const { config } = requireMember(service, address);
      this.#replace(service, (it) => it === config ? [] : [it]);
    });
  }

  override clear(): Promise<void> {
    return this.#change(async () => {
      for (const service of this.#services.current) await this.#services.delete(service);
      for (const { key } of super.services()) {
        const isLeaving = this.#services.isLeaving(identityOf(key) ?? "");
        if (!hasSocket(key) && !isLeaving) await super.deleteService(key);
      }
    });
  }

  override setTimeouts(rule: TimeoutRule): Promise<void> {
    return this.#change(() => {
      this.#timeoutsSet = true;
      return super.setTimeouts(rule);
    });
  }

  override startSync(rule: SyncRule): Promise<void> {
    return this.#change(async () => {
      await super.startSync(rule);
      this.#logger.warn("the {state} sync daemon's parameters are kept and shown; it is inactive", {
        state: rule.state,
      });
    });
  }

  override stopSync(state: SyncState): Promise<void> {
    return this.#change(() => super.stopSync(state));
  }

  #change(run: () => void | Promise<void>): Promise<void> {
    return this.#turns.run(async () => {
      const refusal = this.#refusal();
      if (refusal !== undefined) throw new DirectorError("EBUSY", refusal);
      await run();
      this.#changes++;
    });
  }

  /** The service with this key that has a listener. One on its way out after a reload is none any more. */
  #serviceOf(key: ServiceKey): VirtualService | undefined {
    const identity = identityOf(key);
    const service = this.#services.current.find((it) => it.key === identity);
    const isNobodys = hasSocket(key) || this.#services.isLeaving(identity ?? "");
    if (service === undefined && isNobodys) {
      throw new DirectorError("ESRCH", "there is no such virtual service; ipvsadm -L lists them");
    }
    return service;
  }

  #replace(
    service: VirtualService,
    each: (it: ServiceConfig["destinations"][number]) => ServiceConfig["destinations"],
  ): void {
    const { config } = service;
    this.#services.change(service, { ...config, destinations: config.destinations.flatMap(each) });
  }

  /** The identity, unless a service of the file has taken that as its name. */
  #nameFor(identity: string): string {
    const names = new Set(this.#services.current.map((it) => it.config.name));
    let name = identity;
    for (let i = 2; names.has(name); i++) name = `${identity} (${i})`;
    return name;
  }
}

function memberAt(service: VirtualService, { address, port }: DestinationAddress): Member | undefined {
  return service.members.find(({ endpoint }) =>
    endpoint !== undefined && endpoint.port === port && endpoint.address.equals(address)
  );
}

/** @throws {DirectorError} `ENOENT` */
function requireMember(service: VirtualService, address: DestinationAddress): Member {
  const member = memberAt(service, address);
  if (member === undefined) {
    throw new DirectorError("ENOENT", `there is no destination ${address.address} port ${address.port} here`);
  }
  return member;
}
