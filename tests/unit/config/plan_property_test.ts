import assert from "node:assert/strict";
import fc from "fast-check";
import { destinationIdentity, serviceIdentity } from "../../../config/identity.ts";
import { loadConfig } from "../../../config/load.ts";
import type { Config, DestinationConfig } from "../../../config/model.ts";
import { type PlanChange, planChange, type ServiceSettings } from "../../../config/plan.ts";
import { configJson } from "../../conformance/config_golden.ts";
import { plainConfig } from "./documents.ts";

const anyConfig = plainConfig.map((it) => loadConfig(JSON.stringify(it), "any.yaml", () => undefined));

Deno.test("plan: applied to a model of one config it gives the other", () => {
  fc.assert(
    fc.property(anyConfig, anyConfig, (before, after) => {
      const model = new Model(before);
      for (const change of planChange(before, after).changes) model.apply(change);
      assert.equal(configJson(model.config()), configJson(after));
    }),
    { numRuns: 500 },
  );
});

Deno.test("plan: of a config and itself, read again, is empty", () => {
  fc.assert(fc.property(plainConfig, (plain) => {
    const read = () => loadConfig(JSON.stringify(plain), "any.yaml", () => undefined);
    assert.deepEqual(planChange(read(), read()), { changes: [], logChanged: false });
  }));
});

Deno.test("plan: names what it changes only when it differs", () => {
  fc.assert(fc.property(anyConfig, anyConfig, (before, after) => {
    const { changes, logChanged } = planChange(before, after);
    assert.equal(changes.length === 0, configJson(before) === configJson(after));
    assert.equal(logChanged, JSON.stringify(before.log) !== JSON.stringify(after.log));
    assert.equal(new Set(changes.map((it) => it.text)).size, changes.length, "every line says something new");
  }));
});

/** Two ordered maps, as a director has them: removal leaves the order, addition goes to the end. */
class Model {
  readonly #rest: Omit<Config, "services">;
  #services: Map<string, { settings: ServiceSettings; destinations: Map<string, DestinationConfig> }>;

  constructor({ services, ...rest }: Config) {
    this.#rest = rest;
    this.#services = new Map();
    for (const service of services) this.#add(service);
  }

  apply(change: PlanChange): void {
    const service = this.#services.get(change.service);
    switch (change.kind) {
      case "service-added":
        return this.#add(change.after);
      case "service-removed":
        return void this.#services.delete(change.service);
      case "service-changed":
        assert.ok(service);
        service.settings = change.after;
        return;
      case "destination-added":
        assert.ok(service !== undefined && !service.destinations.has(change.destination));
        return void service.destinations.set(change.destination, change.after);
      case "destination-changed":
        assert.ok(service !== undefined && service.destinations.has(change.destination));
        return void service.destinations.set(change.destination, change.after);
      case "destination-removed":
        assert.ok(service?.destinations.delete(change.destination));
        return;
      case "order-changed":
        if (service === undefined) this.#services = reordered(this.#services, change.after);
        else service.destinations = reordered(service.destinations, change.after);
        return;
      case "section-changed":
      case "needs-restart":
        return void Object.assign(this.#rest, { [change.section]: change.after });
    }
  }

  config(): Config {
    const services = [...this.#services.values()].map(({ settings, destinations }) => ({
      ...settings,
      destinations: [...destinations.values()],
    }));
    return { ...this.#rest, services };
  }

  #add({ destinations, ...settings }: Config["services"][number]): void {
    this.#services.set(serviceIdentity(settings), {
      settings,
      destinations: new Map(destinations.map((it) => [destinationIdentity(it), it])),
    });
  }
}

function reordered<Value>(map: Map<string, Value>, order: readonly string[]): Map<string, Value> {
  assert.deepEqual([...map.keys()].sort(), [...order].sort());
  return new Map(order.map((key) => {
    const value = map.get(key);
    assert.ok(value !== undefined);
    return [key, value];
  }));
}
