/**
 * Services written as in the schedulers' description: servers are letters with a weight, in list order.
 *
 * @module
 */
import assert from "node:assert/strict";
import { IpAddress } from "../../../net/address.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import { NO_DESTINATION } from "../../../schedulers/scheduler.ts";
import { Service, type ServiceOptions } from "../../conformance/schedulers/service.ts";

/** A service of the servers in `list`, named by a letter with the weight, in list order: the last one is added first. */
export class Letters {
  readonly service: Service;
  readonly #handles = new Map<string, number>();
  readonly #names = new Map<number, string>([[NO_DESTINATION, "-"]]);

  constructor(scheduler: string, list: string, options: ServiceOptions = {}) {
    const found = findScheduler(scheduler);
    assert.ok(found, `no scheduler ${scheduler}`);
    this.service = new Service(found, options);
    for (const text of list.split(" ").reverse()) this.add(text);
  }

  add(text: string): void {
    const name = text.charAt(0);
    const address = `10.0.0.${name.charCodeAt(0)}`;
    const handle = this.service.add({ address, weight: Number(text.slice(1)) });
    this.#handles.set(name, handle);
    this.#names.set(handle, name);
  }

  of(name: string): number {
    const handle = this.#handles.get(name);
    assert.ok(handle !== undefined, `no server ${name}`);
    return handle;
  }

  /** The names of the next `count` chosen, each counted as a connection. */
  next(count: number): string {
    return Array.from({ length: count }, () => this.#names.get(this.service.connect())).join(" ");
  }

  /** The name of the next one chosen; nothing is counted. */
  ask(): string {
    return this.#names.get(this.service.pick()) ?? "?";
  }

  /** The virtual address that is asked for from now on. */
  aim(virtual: string): this {
    this.service.question.flow.virtual.set(IpAddress.parse(virtual).words);
    return this;
  }

  /** Active connections of a server. */
  load(name: string, activeConns: number): void {
    this.service.server(this.of(name)).activeConns = activeConns;
  }

  expect(picks: string): void {
    assert.equal(this.next(picks.split(" ").length), picks);
  }
}
