/**
 * The difference between two configurations, as data: what a reload will do, before it does it.
 *
 * @module
 */
import { destinationIdentity, serviceIdentity } from "./identity.ts";
import type { Config, DestinationConfig, ServiceConfig } from "./model.ts";

export { serviceIdentity } from "./identity.ts";

/** What every difference has. */
interface Told {
  /** {@linkcode serviceIdentity} of the service it is about, `""` for none. */
  readonly service: string;
  /** The destination's address as configured, `""` for none. */
  readonly destination: string;
  /** Names of the settings that differ, in alphabetical order. */
  readonly settings: readonly string[];
  /** One line for people. */
  readonly text: string;
}

/** A service without its destinations, whose changes are told one by one. */
export type ServiceSettings = Omit<ServiceConfig, "destinations">;

/** The parts of a configuration that are not services. */
export type ConfigSection = "admin" | "workers" | "packet" | "log" | "timeouts" | "drain" | "ipvs" | "rules";

/** One difference, with the new value in `after`. */
export type PlanChange =
  & Told
  & (
    | { readonly kind: "service-removed" | "destination-removed" }
    | { readonly kind: "service-added"; readonly after: ServiceConfig }
    | { readonly kind: "service-changed"; readonly after: ServiceSettings }
    | { readonly kind: "destination-added" | "destination-changed"; readonly after: DestinationConfig }
    /** Identities of all destinations of the service (of all services, when `service` is `""`) in their new order. */
    | { readonly kind: "order-changed"; readonly after: readonly string[] }
    | {
      readonly kind: "section-changed";
      readonly section: Exclude<ConfigSection, "admin" | "workers" | "packet">;
      readonly after: Config[Exclude<ConfigSection, "admin" | "workers" | "packet">];
    }
    /** The admin listeners are opened once, by the process that may have had more rights then. */
    | { readonly kind: "needs-restart"; readonly section: "admin"; readonly after: Config["admin"] }
    /** Threads have their places in memory that is laid out at the start. */
    | { readonly kind: "needs-restart"; readonly section: "workers"; readonly after: Config["workers"] }
    /** Packet sockets are opened once, and their thread has its place in memory too. */
    | {
      readonly kind: "needs-restart";
      readonly section: "packet";
      readonly after: Config["packet"] | undefined;
    }
  );

/** All differences. Done one after the other, with additions at the end of their list, they lead from one to the other. */
export interface Plan {
  readonly changes: readonly PlanChange[];
  readonly logChanged: boolean;
}

/**
 * Compares two configurations; equal ones give no changes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { loadConfig } from "./load.ts";
 *
 * const read = (text: string) => loadConfig(text, "lvsd.yaml", () => undefined);
 * const before = read("services: [{listen: :80, name: web, destinations: [10.0.0.1]}]");
 * const after = read("services: [{listen: :80, name: web, destinations: [10.0.0.1@3, 10.0.0.2]}]");
 * assert.deepEqual(planChange(before, after).changes.map((it) => it.text), [
 *   'service "web": destination 10.0.0.1:80: weight changed',
 *   'service "web": destination 10.0.0.2:80 added',
 * ]);
 * ```
 */
export function planChange(before: Config, after: Config): Plan {
  const sections = sectionChanges(before, after);
  return {
    changes: [...serviceListChanges(before.services, after.services), ...sections],
    logChanged: sections.some((it) => it.kind === "section-changed" && it.section === "log"),
  };
}

function serviceListChanges(before: readonly ServiceConfig[], after: readonly ServiceConfig[]): PlanChange[] {
  const lists = compareLists(before, after, serviceIdentity);
  const changes: PlanChange[] = [];
  for (const [service, it] of lists.removed) {
    const text = `service "${it.name}" removed from ${service}`;
    changes.push({ kind: "service-removed", ...told({ service, text }) });
  }
  for (const [service, old, present] of lists.kept) changes.push(...serviceChanges(service, old, present));
  for (const [service, it] of lists.added) {
    const text = `service "${it.name}" added on ${service}`;
    changes.push({ kind: "service-added", after: it, ...told({ service, text }) });
  }
  if (lists.order !== undefined) {
    const text = "order of the services changed";
    changes.push({ kind: "order-changed", after: lists.order, ...told({ text }) });
  }
  return changes;
}

function serviceChanges(service: string, before: ServiceConfig, after: ServiceConfig): PlanChange[] {
  const changes: PlanChange[] = [];
  const { destinations: oldList, ...old } = before;
  const { destinations: newList, ...present } = after;
  const name = `service "${after.name}"`;
  const settings = differing(old, present);
  if (settings.length > 0) {
    const text = `${name}: ${settings.join(", ")} changed`;
    changes.push({ kind: "service-changed", after: present, ...told({ service, settings, text }) });
  }
  const lists = compareLists(oldList, newList, destinationIdentity);
  for (const [destination] of lists.removed) {
    const text = `${name}: destination ${destination} removed`;
    changes.push({ kind: "destination-removed", ...told({ service, destination, text }) });
  }
  for (const [destination, was, is] of lists.kept) {
    const settings = differing(was, is);
    if (settings.length === 0) continue;
    const text = `${name}: destination ${destination}: ${settings.join(", ")} changed`;
    changes.push({
      kind: "destination-changed",
      after: is,
      ...told({ service, destination, settings, text }),
    });
  }
  for (const [destination, it] of lists.added) {
    const text = `${name}: destination ${destination} added`;
    changes.push({ kind: "destination-added", after: it, ...told({ service, destination, text }) });
  }
  if (lists.order !== undefined) {
    const text = `${name}: order of the destinations changed`;
    changes.push({ kind: "order-changed", after: lists.order, ...told({ service, text }) });
  }
  return changes;
}

function sectionChanges(before: Config, after: Config): PlanChange[] {
  const changes: PlanChange[] = [];
  for (const section of ["log", "timeouts", "drain", "ipvs"] as const) {
    const settings = differing(before[section], after[section]);
    if (settings.length === 0) continue;
    const text = `${section}: ${settings.join(", ")} changed`;
    changes.push({ kind: "section-changed", section, after: after[section], ...told({ settings, text }) });
  }
  const chains = differing(chainsByName(before), chainsByName(after));
  if (chains.length > 0 || fingerprint(before.rules) !== fingerprint(after.rules)) {
    const text = `rules: ${chains.length === 0 ? "order of the chains" : chains.join(", ")} changed`;
    changes.push({
      kind: "section-changed",
      section: "rules",
      after: after.rules,
      ...told({ settings: chains, text }),
    });
  }
  if (before.workers !== after.workers) {
    changes.push({
      kind: "needs-restart",
      section: "workers",
      after: after.workers,
      ...told({ settings: ["workers"], text: "workers changed; takes effect at the next start" }),
    });
  }
  if (fingerprint(before.packet) !== fingerprint(after.packet)) {
    changes.push({
      kind: "needs-restart",
      section: "packet",
      after: after.packet,
      ...told({ settings: ["packet"], text: "packet changed; takes effect at the next start" }),
    });
  }
  const settings = differing(before.admin, after.admin);
  if (settings.length > 0) {
    const text = `admin: ${settings.join(", ")} changed; takes effect at the next start`;
    changes.push({
      kind: "needs-restart",
      section: "admin",
      after: after.admin,
      ...told({ settings, text }),
    });
  }
  return changes;
}

function chainsByName({ rules }: Config): Readonly<Record<string, unknown>> {
  return Object.fromEntries(rules.map((it) => [it.name, it]));
}

/** Two lists compared by the identity of their items. */
interface ListDifference<Item> {
  readonly removed: readonly (readonly [identity: string, item: Item])[];
  readonly added: readonly (readonly [identity: string, item: Item])[];
  /** In the new order. */
  readonly kept: readonly (readonly [identity: string, before: Item, after: Item])[];
  /** The new order, when removing and then adding at the end does not give it. */
  readonly order: readonly string[] | undefined;
}

function compareLists<Item>(
  before: readonly Item[],
  after: readonly Item[],
  identityOf: (item: Item) => string,
): ListDifference<Item> {
  const old = new Map(before.map((it) => [identityOf(it), it]));
  const present = new Map(after.map((it) => [identityOf(it), it]));
  const removed = [...old].filter(([identity]) => !present.has(identity));
  const added = [...present].filter(([identity]) => !old.has(identity));
  const kept = [...present].flatMap(([identity, is]) => {
    const was = old.get(identity);
    return was === undefined ? [] : [[identity, was, is] as const];
  });
  const survivors = [...old.keys()].filter((it) => present.has(it));
  const reached = [...survivors, ...added.map(([identity]) => identity)];
  const order = [...present.keys()];
  const isReached = reached.every((identity, i) => identity === order[i]);
  return { removed, added, kept, order: isReached ? undefined : order };
}

function differing(before: object, after: object): string[] {
  const values = (of: object) => new Map(Object.entries(of).map(([key, value]) => [key, fingerprint(value)]));
  const [old, present] = [values(before), values(after)];
  return [...new Set([...old.keys(), ...present.keys()])].filter((key) => old.get(key) !== present.get(key))
    .sort();
}

/** Equal text for equal values. JSON alone takes every regular expression for `{}`. */
function fingerprint(value: unknown): string {
  return JSON.stringify(value, (_key, it: unknown) => it instanceof RegExp ? String(it) : it) ?? "";
}

function told(
  { service = "", destination = "", settings = [], text }: Partial<Told> & { text: string },
): Told {
  return { service, destination, settings, text };
}
