/** Deleted destinations: their connections, their revival, their end. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import type { EndCause } from "../../../director/entries.ts";
import { ACTION, DROP_REASON } from "../../../director/verdict.ts";
import {
  ACK,
  back,
  type Cases,
  counts,
  destination,
  from,
  open,
  SYN,
  target,
  tcp,
  tcpService,
  udp,
  udpService,
} from "../../unit/director/testbed.ts";

function withTwo(director: Director) {
  const service = director.addService(tcpService(), 0);
  const a = director.addDestination(service, destination("10.2.0.1:80"), 0);
  const b = director.addDestination(service, destination("10.2.0.2:80"), 0);
  const flow = tcp("192.0.2.1:1");
  assert.equal(open(director, flow, 0).destination, b);
  return { service, a, b, flow };
}

export const trashCases: Cases = {
  "packets of its connections are dropped and do not restart the timer": (make) => {
    const director = make();
    const { b, flow } = withTwo(director);
    director.deleteDestination(b, 0);
    const verdict = from(director, flow, ACK, 500_000);
    assert.deepEqual([verdict.action, verdict.reason], [ACTION.drop, DROP_REASON.destinationRemoved]);
    assert.equal(director.drops.destinationRemoved, 1);
    const { outPackets } = director.totals();
    assert.equal(back(director, flow, ACK, 100_000).action, ACTION.forward, "answers still pass");
    assert.equal(director.totals().outPackets, outPackets, "and are counted nowhere");
    assert.equal(director.destinationView(b).statistics.outPackets, 1);
    director.advance(1_000_000);
    assert.equal(director.connectionCount, 0);
  },

  "added again it lives again, its connections with it, at the head of the list": (make) => {
    const director = make();
    const { service, a, b, flow } = withTwo(director);
    director.deleteDestination(b, 0);
    assert.deepEqual(counts(director.destinationView(b)), [1, 0, 0]);
    const back2 = director.addDestination(service, destination("10.2.0.2:80", { weight: 4 }), 10_000);
    assert.equal(back2, b);
    assert.deepEqual(director.destinationViews(service).map((view) => view.handle), [b, a]);
    assert.deepEqual(counts(director.destinationView(b)), [1, 0, 0]);
    assert.equal(target(director, from(director, flow, ACK, 10_000)), "10.2.0.2:80");
    assert.equal(director.destinationView(b).statistics.connections, 1);
  },

  "a service deleted and made anew gets its destinations back, numbers from 0": (make) => {
    const director = make();
    const { service, b, flow } = withTwo(director);
    director.deleteService(service, 0);
    assert.equal(director.connectionCount, 1);
    assert.equal(from(director, flow, ACK, 0).reason, DROP_REASON.destinationRemoved);
    assert.equal(from(director, tcp("192.0.2.1:2"), SYN, 0).reason, DROP_REASON.noService);
    const again = director.addService(tcpService(), 0);
    assert.notEqual(again, service);
    assert.equal(director.addDestination(again, destination("10.2.0.2:80"), 0), b);
    assert.equal(director.destinationView(b).statistics.connections, 0);
    const verdict = from(director, flow, ACK, 0);
    assert.deepEqual([verdict.destination, verdict.service], [b, again]);
    assert.equal(director.serviceView(again).statistics.inPackets, 1);
  },

  "another service's destination is not taken for it": (make) => {
    const director = make();
    const { b } = withTwo(director);
    director.deleteDestination(b, 0);
    const other = director.addService(tcpService("10.99.0.1:81"), 0);
    assert.notEqual(director.addDestination(other, destination("10.2.0.2:80"), 0), b);
  },

  "unused it is kept for 120 s from the look that found it so": (make) => {
    const director = make();
    const { service, b, flow } = withTwo(director);
    director.deleteDestination(b, 0);
    director.advance(50_000);
    director.forget(flow, 50_000);
    director.advance(179_000);
    assert.equal(director.addDestination(service, destination("10.2.0.2:80"), 179_000), b);
    director.deleteDestination(b, 200_000);
    director.advance(379_999);
    assert.equal(director.destinationView(b).available, false);
    director.advance(380_000);
    assert.throws(() => director.destinationView(b), { code: "ENOENT" });
    assert.notEqual(director.addDestination(service, destination("10.2.0.2:80"), 380_000), b);
  },

  "another protocol's service on the same port does not get it": (make) => {
    const director = make();
    const { b, flow } = withTwo(director);
    director.deleteDestination(b, 0);
    const other = director.addService(udpService("10.99.0.1:80"), 0);
    assert.notEqual(director.addDestination(other, destination("10.2.0.2:80"), 0), b);
    assert.equal(from(director, flow, ACK, 0).reason, DROP_REASON.destinationRemoved);
  },

  "named by a connection it is kept as long as that lives": (make) => {
    const director = make();
    const { service, b, flow } = withTwo(director);
    director.deleteDestination(b, 0);
    for (let ms = 0; ms < 800_000; ms += 10_000) director.advance(ms);
    assert.equal(director.addDestination(service, destination("10.2.0.2:80"), 800_000), b);
    assert.equal(from(director, flow, ACK, 800_000).action, ACTION.forward);
  },

  "rows wanted by new ones are taken from unused trash at once": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    for (let round = 0; round < 5; round++) {
      for (let port = 1; port <= 40; port++) {
        const handle = director.addDestination(service, destination(`10.2.${round}.1:${port}`), 0);
        director.deleteDestination(handle, 0);
      }
    }
    for (let port = 1; port <= 64; port++) {
      director.addDestination(service, destination(`10.3.0.1:${port}`), 0);
    }
    assert.throws(() => director.addDestination(service, destination("10.3.0.1:65"), 0), { code: "ENOMEM" });
  },

  "expire_nodest_conn: its connections end, TCP goes to the host, UDP to another server": (make) => {
    const ended: EndCause[] = [];
    const director = make({ onExpire: (_entry, { cause }) => ended.push(cause) });
    director.sysctl.expire_nodest_conn = 1;
    const { b, flow } = withTwo(director);
    const service = director.addService(udpService(), 0);
    director.addDestination(service, destination("10.2.0.1:53"), 0);
    const second = director.addDestination(service, destination("10.2.0.2:53"), 0);
    const datagrams = udp("192.0.2.1:1");
    assert.equal(from(director, datagrams, 0, 0).destination, second);
    director.deleteDestination(b, 0);
    director.deleteDestination(second, 0);
    assert.equal(from(director, flow, ACK, 0).reason, DROP_REASON.notNew);
    assert.equal(target(director, from(director, datagrams, 0, 0)), "10.2.0.1:53");
    assert.deepEqual(ended, ["rescheduled", "rescheduled"]);
    assert.equal(director.connectionCount, 1);
  },

  "expire_nodest_conn: without a packet they end at the next look": (make) => {
    const ended: EndCause[] = [];
    const director = make({ onExpire: (_entry, { cause }) => ended.push(cause) });
    director.sysctl.expire_nodest_conn = 1;
    const { b } = withTwo(director);
    director.deleteDestination(b, 0);
    assert.equal(director.connectionCount, 1);
    director.advance(4);
    assert.deepEqual([director.connectionCount, ended], [0, ["destination-removed"]]);
    assert.deepEqual(counts(director.destinationView(b)), [0, 0, 0]);
  },

  "expire_nodest_conn: templates go as well, established or not, and other servers' stay": (make) => {
    const director = make();
    director.sysctl.expire_nodest_conn = 1;
    const persistence = { timeoutMs: 60_000, prefixLength: 32 };
    const service = director.addService(tcpService(undefined, { persistence }), 0);
    const [a = 0, b = 0] = [1, 2].map((last) =>
      director.addDestination(service, destination(`10.2.0.${last}:80`), 0)
    );
    const flows = [1, 2, 3].map((last) => tcp(`192.0.2.${last}:1`));
    assert.deepEqual(flows.map((flow) => open(director, flow, 0).destination), [b, a, b]);
    director.forget(flows[0] ?? tcp("192.0.2.9:1"), 0);
    director.deleteDestination(b, 0);
    director.advance(4);
    assert.deepEqual([director.connectionCount, director.templateCount], [1, 1]);
    assert.deepEqual(counts(director.destinationView(b)), [0, 0, 0]);
    assert.deepEqual(counts(director.destinationView(a)), [1, 0, 1]);
  },

  "expire_nodest_conn: a SYN on a connection of a weight-0 server is scheduled anew": (make) => {
    const director = make();
    const { a, b, flow } = withTwo(director);
    director.setWeight(b, 0, 0);
    assert.equal(from(director, flow, SYN, 0).destination, b);
    director.sysctl.expire_nodest_conn = 1;
    const verdict = from(director, flow, SYN, 0);
    assert.deepEqual([verdict.destination, verdict.isNew], [a, true]);
  },
};
