/**
 * The table over a director alone: the kernel, as the tool meets it. No listeners, no files.
 *
 * @module
 */
import type { Director } from "../director/director.ts";
import type { ServiceKey } from "../director/specs.ts";
import type { ServiceView } from "../director/views.ts";
import { DirectorError } from "../errors.ts";
import {
  destinationSpec,
  refuseAddress,
  refuseExisting,
  refuseThresholds,
  requireDestination,
  requireService,
  serviceSpec,
} from "./kernel_rules.ts";
import { familyOf, kernelOrder } from "./order.ts";
import { destinationRow, serviceRow } from "./rows.ts";
import type {
  DestinationAddress,
  DestinationRule,
  ServiceRule,
  SyncRule,
  SyncState,
  TimeoutRule,
} from "./rules.ts";
import { type NetworkInterface, SyncDaemons } from "./sync_daemons.ts";
import type { ConnectionRow, Numbers, ServiceRow, SyncRow, Table } from "./table.ts";

/** Slots of the kernel's connection table unless it was loaded with other `conn_tab_bits`. */
export const CONNECTION_SLOTS = 4_096;

export interface DirectorTableOptions {
  readonly director: Director;
  readonly nowMs: () => number;
  readonly interfaces: () => readonly NetworkInterface[];
  /** See {@linkcode kernelOrder}. */
  readonly salt?: number;
}

/** Every change is in force when its promise resolves, which is at once. */
export class DirectorTable implements Table {
  readonly connectionSlots = CONNECTION_SLOTS;
  readonly #director: Director;
  readonly #nowMs: () => number;
  readonly #salt: number;
  readonly #syncDaemons: SyncDaemons;

  constructor({ director, nowMs, interfaces, salt = 0 }: DirectorTableOptions) {
    this.#director = director;
    this.#nowMs = nowMs;
    this.#salt = salt;
    this.#syncDaemons = new SyncDaemons(interfaces);
  }

  addService(rule: ServiceRule): Promise<void> {
    return promised(() => {
      refuseExisting(this.#director, rule.key);
      this.#director.addService(serviceSpec(rule), this.#nowMs());
    });
  }

  editService(rule: ServiceRule): Promise<void> {
    return promised(() => {
      const service = requireService(this.#director, rule.key);
      this.#director.editService(service, serviceSpec(rule), this.#nowMs());
    });
  }

  deleteService(key: ServiceKey): Promise<void> {
    return promised(() => this.#director.deleteService(requireService(this.#director, key), this.#nowMs()));
  }

  addDestination(key: ServiceKey, rule: DestinationRule): Promise<void> {
    return promised(() => {
      const service = requireService(this.#director, key);
      this.refuseMixedSync(key, rule);
      refuseThresholds(rule);
      refuseAddress(rule);
      this.#director.addDestination(service, destinationSpec(rule), this.#nowMs());
    });
  }

  editDestination(key: ServiceKey, rule: DestinationRule): Promise<void> {
    return promised(() => {
      const service = requireService(this.#director, key);
      this.refuseMixedSync(key, rule);
      refuseThresholds(rule);
      const handle = requireDestination(this.#director, service, rule);
      this.#director.editDestination(handle, destinationSpec(rule), this.#nowMs());
    });
  }

  deleteDestination(key: ServiceKey, address: DestinationAddress): Promise<void> {
    return promised(() => {
      const service = requireService(this.#director, key);
      const handle = requireDestination(this.#director, service, address);
      this.#director.deleteDestination(handle, this.#nowMs());
    });
  }

  clear(): Promise<void> {
    return promised(() => {
      for (const { handle } of this.#director.services()) {
        this.#director.deleteService(handle, this.#nowMs());
      }
    });
  }

  zero(key?: ServiceKey): Promise<void> {
    return promised(() => {
      const service = key === undefined ? undefined : requireService(this.#director, key);
      this.#director.zeroStatistics(service);
    });
  }

  setTimeouts({ tcpSeconds, tcpFinSeconds, udpSeconds }: TimeoutRule): Promise<void> {
    return promised(() =>
      this.#director.setTimeouts({
        tcpMs: tcpSeconds * 1_000,
        tcpFinMs: tcpFinSeconds * 1_000,
        udpMs: udpSeconds * 1_000,
      })
    );
  }

  startSync(rule: SyncRule): Promise<void> {
    return promised(() => this.#syncDaemons.start(rule, this.#hasMixedFamilies()));
  }

  stopSync(state: SyncState): Promise<void> {
    return promised(() => this.#syncDaemons.stop(state));
  }

  services(): readonly ServiceRow[] {
    return kernelOrder(this.#director.services(), this.#salt).map((view) => this.#serviceRow(view));
  }

  timeouts(): TimeoutRule {
    const { tcpMs, tcpFinMs, udpMs } = this.#director.timeouts;
    const seconds = (milliseconds: number) => Math.floor(milliseconds / 1_000);
    return { tcpSeconds: seconds(tcpMs), tcpFinSeconds: seconds(tcpFinMs), udpSeconds: seconds(udpMs) };
  }

  syncDaemons(): readonly SyncRow[] {
    return this.#syncDaemons.rows;
  }

  /** Sync daemons as they were asked for. */
  get syncRules(): readonly SyncRule[] {
    return this.#syncDaemons.rules;
  }

  connections(): Iterable<ConnectionRow> {
    return this.#director.connections();
  }

  totals(): { readonly totals: Numbers; readonly rates: Numbers } {
    const { counters, rates } = this.#director.estimate;
    return { totals: counters, rates };
  }

  /** @throws {DirectorError} `EINVAL`: the sync protocol knows no destinations of another family than their service */
  protected refuseMixedSync(key: ServiceKey, { address }: DestinationAddress): void {
    if (address.family === familyOf(key) || this.#syncDaemons.rows.length === 0) return;
    throw new DirectorError(
      "EINVAL",
      `${address} is of another address family, and a sync daemon is running`,
    );
  }

  #serviceRow(view: ServiceView): ServiceRow {
    const destinations = this.#director.destinationViews(view.handle).map((it) => destinationRow(it));
    return serviceRow(view, destinations);
  }

  #hasMixedFamilies(): boolean {
    return this.#director.services().some(({ handle, key }) =>
      this.#director.destinationViews(handle).some((it) => it.address.family !== familyOf(key))
    );
  }
}

/** What is thrown rejects. */
function promised(change: () => void): Promise<void> {
  return Promise.try(change);
}
