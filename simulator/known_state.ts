/**
 * Services, destinations, time-outs and switches as a sequence of steps leaves them: what a recording begins with once its first changes are
 * too old to be kept one by one.
 *
 * @module
 */
import type { DestinationSpec, ServiceKey } from "../director/specs.ts";
import type { Timeouts } from "../director/timeouts.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { ServiceReference, ServiceSettings, Step } from "./script.ts";
import { formatKey } from "./script_writer.ts";

interface KnownService {
  readonly key: ServiceKey;
  settings: ServiceSettings;
  /** By address, in order of addition. */
  destinations: Map<string, DestinationSpec>;
}

/** Services by their keys. */
export class KnownState {
  readonly #services = new Map<string, KnownService>();
  readonly #switches = new Map<string, number>();
  #timeouts: Partial<Timeouts> = {};

  /** Takes a change in; other steps are left out. */
  apply(step: Step): void {
    if (step.verb === "service") {
      this.#services.set(formatKey(step.key), { ...step, destinations: new Map() });
      return;
    }
    if (step.verb === "sysctl") this.#switches.set(step.name, step.value);
    if (step.verb === "timeouts") this.#timeouts = { ...this.#timeouts, ...step.timeouts };
    const service = "service" in step ? this.#find(step.service) : undefined;
    if (service === undefined) return;
    const { destinations } = service;
    switch (step.verb) {
      case "change":
        service.settings = step.settings;
        break;
      case "remove":
        this.#services.delete(formatKey(service.key));
        break;
      case "add":
        destinations.delete(formatEndpoint(step.destination));
        destinations.set(formatEndpoint(step.destination), step.destination);
        break;
      case "edit":
        destinations.set(formatEndpoint(step.destination), step.destination);
        break;
      case "weight": {
        const address = formatEndpoint(step.destination);
        const known = destinations.get(address);
        if (known !== undefined) destinations.set(address, { ...known, effectiveWeight: step.weight });
        break;
      }
      case "delete":
        destinations.delete(formatEndpoint(step.destination));
        break;
      case "order": {
        const addresses = step.destinations.map(formatEndpoint).reverse();
        service.destinations = new Map(addresses.flatMap((it) => {
          const known = destinations.get(it);
          return known === undefined ? [] : [[it, known] as const];
        }));
      }
    }
  }

  /** Steps that make all this from nothing. */
  *steps(): Generator<Step> {
    if (Object.keys(this.#timeouts).length > 0) yield { verb: "timeouts", timeouts: this.#timeouts };
    for (const [name, value] of this.#switches) yield { verb: "sysctl", name, value };
    for (const { key, settings, destinations } of this.#services.values()) {
      yield { verb: "service", key, settings };
      for (const destination of destinations.values()) yield { verb: "add", service: { key }, destination };
    }
  }

  #find(reference: ServiceReference): KnownService | undefined {
    return "key" in reference ? this.#services.get(formatKey(reference.key)) : undefined;
  }
}
