/**
 * Destinations come, change, move and go.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { ChangeParts, Changes } from "./changes.ts";
import { validateDestination, validateWeight } from "./destination_rules.ts";
import type { Estimator } from "./estimator.ts";
import { DESTINATION, DESTINATION_WORDS, HEADER, SERVICE, SERVICE_WORDS } from "./layout.ts";
import type { DestinationSpec } from "./specs.ts";
import { addressText } from "./store.ts";
import { sysctlIndex } from "./sysctl.ts";
import type { Trash } from "./trash.ts";

const EXPIRE_NODEST_CONN = sysctlIndex("expire_nodest_conn");

/** Changes of destinations, as the kernel answers them. */
export class DestinationChanges {
  readonly #parts: ChangeParts;
  readonly #changes: Changes;
  readonly #trash: Trash;
  readonly #estimator: Estimator;

  constructor(parts: ChangeParts, changes: Changes, trash: Trash, estimator: Estimator) {
    this.#parts = parts;
    this.#changes = changes;
    this.#trash = trash;
    this.#estimator = estimator;
  }

  add(service: number, spec: DestinationSpec): number {
    const { store, destinations } = this.#parts;
    const slot = this.#changes.service(service);
    validateDestination(spec, store.services[slot * SERVICE_WORDS + SERVICE.family] ?? 0);
    if (destinations.find(slot, spec) !== 0) {
      throw new DirectorError(
        "EEXIST",
        `destination ${spec.address}:${spec.port} already exists in this service`,
      );
    }
    return this.#changes.runInService(slot, () => {
      let row = this.#trash.revive(slot, spec);
      if (row === 0) {
        row = this.#take(spec);
        this.#estimator.beginDestination(row);
      } else if (store.destinations[row * DESTINATION_WORDS + DESTINATION.service] !== service) {
        // Its service was deleted and made anew: connections live on, numbers begin again.
        this.#estimator.zeroDestination(row);
      }
      destinations.bindService(row, slot);
      destinations.write(row, spec, true);
      destinations.linkFirst(row, slot);
      const handle = store.destinations[row * DESTINATION_WORDS + DESTINATION.handle] ?? 0;
      this.#changes.tell(slot, "added", handle);
      return handle;
    });
  }

  edit(destination: number, spec: DestinationSpec): void {
    const { store, destinations } = this.#parts;
    const { row, service } = this.#changes.destination(destination);
    validateDestination(spec, store.services[service * SERVICE_WORDS + SERVICE.family] ?? 0);
    if (!destinations.hasEndpoint(row * DESTINATION_WORDS, spec)) {
      throw new DirectorError(
        "EINVAL",
        `${spec.address}:${spec.port} is not the address of ${
          this.#text(row)
        }; add it as a destination of its own`,
      );
    }
    this.#changes.runInService(service, () => {
      destinations.write(row, spec, false);
      this.#changes.tell(service, "edited", destination);
    });
  }

  delete(destination: number, nowMs: number): void {
    const { row, service } = this.#changes.destination(destination);
    this.#changes.runInService(service, () => {
      this.#changes.tell(service, "removing", destination);
      this.discard(row, service, nowMs);
      this.#changes.tell(service, "removed", destination);
    });
  }

  /** Takes a row out of its service's list and into the trash. */
  discard(row: number, service: number, nowMs: number): void {
    const { store, destinations } = this.#parts;
    store.destinations[row * DESTINATION_WORDS + DESTINATION.available] = 0;
    destinations.unlink(row, service);
    this.#trash.put(row, nowMs);
    if (store.header[EXPIRE_NODEST_CONN] !== 0) Atomics.add(store.header, HEADER.sweep, 1);
  }

  setWeight(destination: number, effectiveWeight: number): void {
    const { destinations } = this.#parts;
    const { row, service } = this.#changes.destination(destination);
    validateWeight(effectiveWeight, `destination ${this.#text(row)}`);
    this.#changes.runInService(service, () => {
      destinations.writeWeight(row, effectiveWeight, false);
      this.#changes.tell(service, "edited", destination);
    });
  }

  order(service: number, wanted: readonly number[]): void {
    const { destinations } = this.#parts;
    const slot = this.#changes.service(service);
    const current = [...destinations.ofService(slot)];
    const named = new Set(wanted);
    if (wanted.length !== current.length || !current.every((handle) => named.has(handle))) {
      throw new DirectorError(
        "EINVAL",
        `an order names every destination of the service once: ${current.length}, not ${wanted.length}`,
      );
    }
    if (wanted.every((handle, i) => handle === current[i])) return;
    this.#changes.runInService(slot, () => {
      for (const handle of current) destinations.unlink(destinations.slotOf(handle), slot);
      for (const handle of wanted.toReversed()) destinations.linkFirst(destinations.slotOf(handle), slot);
      this.#changes.tell(slot, "edited", 0);
    });
  }

  /** A fresh row, if need be one whose trash time is cut short. */
  #take(spec: Endpoint): number {
    const { store, destinations } = this.#parts;
    const row = destinations.take(spec) || (this.#trash.reclaim() ? destinations.take(spec) : 0);
    if (row === 0) {
      const limit = store.capacities.destinations;
      throw new DirectorError("ENOMEM", `there is room for ${limit} destinations and all are taken`, {
        limit,
      });
    }
    return row;
  }

  #text(row: number): string {
    const { destinations } = this.#parts.store;
    const base = row * DESTINATION_WORDS;
    const address = addressText(
      destinations[base + DESTINATION.family] ?? 4,
      destinations,
      base + DESTINATION.address,
    );
    return `${address}:${destinations[base + DESTINATION.port]}`;
  }
}
