/**
 * Virtual services come, change and go.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import type { ChangeParts, Changes } from "./changes.ts";
import type { DestinationChanges } from "./destination_changes.ts";
import type { Estimator } from "./estimator.ts";
import { SERVICE, SERVICE_WORDS } from "./layout.ts";
import { engineNumber } from "./persistence_engines.ts";
import { keyText } from "./services.ts";
import type { ServiceSpec } from "./specs.ts";

/** Changes of services, as the kernel answers them. */
export class ServiceChanges {
  readonly #changes: Changes;
  readonly #parts: ChangeParts;
  readonly #destinationChanges: DestinationChanges;
  readonly #estimator: Estimator;

  constructor(
    parts: ChangeParts,
    changes: Changes,
    destinationChanges: DestinationChanges,
    estimator: Estimator,
  ) {
    this.#parts = parts;
    this.#changes = changes;
    this.#destinationChanges = destinationChanges;
    this.#estimator = estimator;
  }

  /** @returns the handle */
  add(spec: ServiceSpec): number {
    const { store, services, schedulers } = this.#parts;
    validateService(spec);
    schedulers.require(spec.scheduler);
    return this.#changes.run(() => {
      const slot = services.add(spec);
      try {
        schedulers.bind(slot, spec.scheduler);
      } catch (error) {
        services.remove(slot);
        throw error;
      }
      this.#changes.startScheduler(slot);
      this.#estimator.beginService(slot);
      return store.services[slot * SERVICE_WORDS + SERVICE.handle] ?? 0;
    });
  }

  edit(service: number, spec: ServiceSpec): void {
    const { services, schedulers } = this.#parts;
    const slot = this.#changes.service(service);
    validateService(spec);
    schedulers.require(spec.scheduler);
    if (services.find(spec.key) !== service) {
      throw new DirectorError(
        "EINVAL",
        `${keyText(spec.key)} is not the key of this service; a key cannot be edited`,
      );
    }
    this.#changes.runInService(slot, () => {
      // The same scheduler keeps what it remembers.
      if (schedulers.name(slot) !== spec.scheduler) {
        schedulers.bind(slot, spec.scheduler);
        this.#changes.startScheduler(slot);
      }
      services.write(slot, spec);
    });
  }

  delete(service: number, nowMs: number): void {
    const { services, destinations, schedulers } = this.#parts;
    const slot = this.#changes.service(service);
    this.#changes.runInService(slot, () => {
      schedulers.unbind(slot);
      for (const handle of destinations.ofService(slot)) {
        this.#destinationChanges.discard(destinations.slotOf(handle), slot, nowMs);
      }
      services.remove(slot);
    });
  }
}

/** @throws {DirectorError} `EINVAL`, `ENOENT` */
function validateService(spec: ServiceSpec): void {
  const { key, persistence } = spec;
  const name = keyText(key);
  engineNumber(spec.persistenceEngine);
  const isRange = (value: number, min: number, max: number) =>
    Number.isInteger(value) && value >= min && value <= max;
  if ("mark" in key ? !isRange(key.mark, 1, 2 ** 32 - 1) : !isRange(key.port, 0, 65_535)) {
    throw new DirectorError("EINVAL", `${name}: a mark is 1 to 4294967295, a port 0 to 65535`);
  }
  if (persistence === undefined) return;
  if (!(persistence.timeoutMs > 0 && Number.isFinite(persistence.timeoutMs))) {
    throw new DirectorError(
      "EINVAL",
      `${name}: persistence time-out ${persistence.timeoutMs} ms is not above 0`,
    );
  }
  const family = "mark" in key ? key.family : key.address.family;
  if ("prefixLength" in persistence) {
    const [min, max] = family === 6 ? [1, 128] : [0, 32];
    if (!isRange(persistence.prefixLength, min ?? 0, max ?? 0)) {
      throw new DirectorError(
        "EINVAL",
        `${name}: persistence prefix length is ${min} to ${max} for IPv${family}`,
      );
    }
  } else if (family === 6) {
    throw new DirectorError("EINVAL", `${name}: IPv6 persistence takes a prefix length, not a netmask`);
  }
}
