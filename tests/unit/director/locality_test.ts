/** What the memory of lblc and lblcr means for the director: the trash, the switches, retries. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import { Store } from "../../../director/store.ts";
import { DROP_REASON } from "../../../director/verdict.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import { destination, from, makeDirector, MEMORIES, open, SYN, target, tcp, tcpService } from "./testbed.ts";

const SERVERS = ["10.2.0.1:80", "10.2.0.2:80", "10.2.0.3:80"];
const MINUTE_MS = 60_000;

function withServers(
  scheduler: string,
  shared: boolean,
): { director: Director; service: number; servers: number[] } {
  const capacities = { services: 4, destinations: 4, schedulerCells: 2 ** 20 };
  const director = makeDirector({ store: Store.create({ shared, capacities }), findScheduler });
  const service = director.addService(tcpService(undefined, { scheduler }), 0);
  const servers = SERVERS.map((it) => director.addDestination(service, destination(it, { weight: 10 }), 0));
  return { director, service, servers };
}

/** Where a new connection of this client goes; the connection is forgotten at once. */
function ask(director: Director, port: number, nowMs: number): string {
  const flow = tcp(`192.0.2.1:${port}`);
  const chosen = target(director, from(director, flow, SYN, nowMs));
  director.forget(flow, nowMs);
  return chosen;
}

for (const { shared, on } of MEMORIES) {
  for (const [scheduler, isKept] of [["lblc", true], ["lblcr", true], ["wlc", false]] as const) {
    Deno.test(`${scheduler}: a deleted server is ${isKept ? "" : "not "}kept for its return by a mapping, ${on}`, () => {
      const { director, service, servers } = withServers(scheduler, shared);
      const [, , last = 0] = servers;
      assert.equal(ask(director, 1_000, 0), "10.2.0.3:80");
      director.deleteDestination(last, 0);
      // The trash looks every minute and lets go what nobody has named for two.
      for (let minute = 1; minute <= 10; minute++) director.advance(minute * MINUTE_MS);
      const back = director.addDestination(
        service,
        destination("10.2.0.3:80", { weight: 10 }),
        10 * MINUTE_MS,
      );
      assert.equal(back === last, isKept);
    });
  }

  Deno.test(`lblc: a mapping to a server that was away for minutes is good again, ${on}`, () => {
    const { director, service, servers } = withServers("lblc", shared);
    const [, second = 0, last = 0] = servers;
    director.setWeight(last, 0, 0);
    assert.equal(ask(director, 1_000, 0), "10.2.0.2:80");
    director.setWeight(last, 10, 0);
    director.deleteDestination(second, 0);
    for (let minute = 1; minute <= 10; minute++) director.advance(minute * MINUTE_MS);
    director.addDestination(service, destination("10.2.0.2:80", { weight: 10 }), 10 * MINUTE_MS);
    director.addDestination(service, destination("10.2.0.4:80", { weight: 10 }), 10 * MINUTE_MS);
    assert.equal(ask(director, 1_001, 10 * MINUTE_MS), "10.2.0.2:80", "not the head of the list");
  });

  Deno.test(`lblc: rows of the trash that only a mapping names are given to newcomers, ${on}`, () => {
    const { director, service, servers } = withServers("lblc", shared);
    const [, , last = 0] = servers;
    assert.equal(ask(director, 1_000, 0), "10.2.0.3:80");
    director.deleteDestination(last, 0);
    for (const host of [4, 5]) director.addDestination(service, destination(`10.2.0.${host}:80`), 0);
    assert.equal(
      ask(director, 1_001, 0),
      "10.2.0.5:80",
      "the mapping does not take the newcomer for its server",
    );
  });

  Deno.test(`lblc_expiration and lblcr_expiration are read when a decision is made, ${on}`, () => {
    for (const scheduler of ["lblc", "lblcr"] as const) {
      const { director, servers } = withServers(scheduler, shared);
      const [, second = 0, last = 0] = servers;
      assert.equal(ask(director, 1_000, 0), "10.2.0.3:80");
      open(director, tcp("192.0.2.9:9"), 0);
      director.sysctl[scheduler === "lblc" ? "lblc_expiration" : "lblcr_expiration"] = 10;
      const laterMs = 31 * MINUTE_MS;
      director.advance(laterMs);
      director.setWeight(last, 1, laterMs);
      open(director, tcp("192.0.2.9:10"), laterMs);
      assert.ok(director.destinationView(last).activeConns > 0 && second > 0);
      // Without the switch the mapping would be a day old at most, and 10.2.0.3 is not overrun.
      director.sysctl[scheduler === "lblc" ? "lblc_expiration" : "lblcr_expiration"] = 86_400;
      assert.equal(ask(director, 1_001, laterMs), "10.2.0.3:80");
      director.sysctl[scheduler === "lblc" ? "lblc_expiration" : "lblcr_expiration"] = 10;
      assert.equal(ask(director, 1_002, 2 * laterMs), "10.2.0.2:80", "forgotten, so the least loaded one");
    }
  });

  Deno.test(`a retry after a failed connect: lblc stays with the failed server, so there is none, ${on}`, () => {
    for (
      const [scheduler, other] of [["lblc", "reject"], ["lblcr", "10.2.0.2:80"], [
        "wlc",
        "10.2.0.2:80",
      ]] as const
    ) {
      const { director } = withServers(scheduler, shared);
      const flow = tcp("192.0.2.1:1000");
      const first = from(director, flow, SYN, 0).destination;
      const verdict = director.reschedule(flow, [first], 0);
      assert.equal(target(director, verdict), other);
      assert.equal(verdict.reason, other === "reject" ? DROP_REASON.noDestination : DROP_REASON.none);
    }
  });
}
