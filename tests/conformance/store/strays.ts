/** What belongs to no connection: ICMP errors, packets of real servers, packets past a cache. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import { Verdict } from "../../../director/verdict.ts";
import { ACTION, DROP_REASON } from "../../../director/verdict.ts";
import { DIRECTION, type Direction, type Flow } from "../../../net/flow.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import {
  ACK,
  back,
  type Cases,
  counts,
  destination,
  FIN,
  from,
  open,
  RST,
  SYN,
  target,
  tcp,
  tcpService,
  udp,
  udpService,
} from "../../unit/director/testbed.ts";

function withOne(director: Director): { service: number; handle: number } {
  const service = director.addService(tcpService(), 0);
  return { service, handle: director.addDestination(service, destination("10.2.0.1:8080"), 0) };
}

function icmp(director: Director, flow: Flow, nowMs = 0, direction: Direction = DIRECTION.input): Verdict {
  return Object.assign(new Verdict(), director.related(flow, direction, 576, nowMs));
}

export const strayCases: Cases = {
  "an ICMP error goes the way of its connection, is counted, and leaves state and timer": (make) => {
    const director = make();
    const { handle } = withOne(director);
    const flow = tcp("192.0.2.1:1");
    open(director, flow, 0);
    const verdict = icmp(director, tcp("192.0.2.1:1"), 100_000);
    assert.equal(target(director, verdict), "10.2.0.1:8080");
    assert.equal(verdict.isNew, false);
    icmp(director, tcp("192.0.2.1:1"), 100_000, DIRECTION.output);
    const { statistics } = director.destinationView(handle);
    assert.deepEqual([statistics.inPackets, statistics.outPackets], [3, 2]);
    assert.equal(statistics.inBytes, 80 + 576);
    director.advance(899_999);
    assert.equal([...director.connections()][0]?.state, "ESTABLISHED");
    director.advance(900_000);
    assert.equal(director.connectionCount, 0);
  },

  "schedule_icmp 0: an ICMP error without a connection is the host's": (make) => {
    const director = make();
    withOne(director);
    const verdict = icmp(director, tcp("192.0.2.1:1"));
    assert.deepEqual([verdict.action, verdict.reason], [ACTION.accept, DROP_REASON.notNew]);
    assert.equal(director.connectionCount, 0);
  },

  "schedule_icmp 1: it makes one, without a state, for 3 s": (make) => {
    const director = make();
    const { handle } = withOne(director);
    director.sysctl.schedule_icmp = 1;
    assert.equal(icmp(director, tcp("192.0.2.1:1")).isNew, true);
    const [entry] = director.connections();
    assert.deepEqual([entry?.state, entry?.expiresMs], ["NONE", 3_000]);
    assert.deepEqual(counts(director.destinationView(handle)), [0, 1, 0]);
    assert.equal(icmp(director, tcp("192.0.2.1:1"), 2_999).isNew, false);
    assert.equal(director.totals().connections, 1);
    director.advance(3_000);
    assert.deepEqual(counts(director.destinationView(handle)), [0, 0, 0]);
    assert.equal(icmp(director, tcp("192.0.2.1:2", "10.99.0.7:80")).reason, DROP_REASON.noService);
    assert.equal(icmp(director, tcp("192.0.2.1:3"), 0, DIRECTION.output).action, ACTION.accept);
  },

  "schedule_icmp 1: without a destination an error is dropped, for no error answers an error": (make) => {
    const director = make();
    const { handle } = withOne(director);
    director.sysctl.schedule_icmp = 1;
    director.setWeight(handle, 0, 0);
    const verdict = icmp(director, tcp("192.0.2.1:1"));
    assert.deepEqual([verdict.action, verdict.reason], [ACTION.drop, DROP_REASON.noDestination]);
  },

  "schedule_icmp 1: dh hashes the address that the quoted packet went to, the client's": (make) => {
    const director = make({ findScheduler });
    const service = director.addService(tcpService(undefined, { scheduler: "dh" }), 0);
    for (const host of [1, 2, 3]) director.addDestination(service, destination(`10.2.0.${host}:80`), 0);
    director.sysctl.schedule_icmp = 1;
    const ask = (client: string) => target(director, icmp(director, tcp(`${client}:1`)));
    // Buckets 50, 148 and 246 of the three servers in turn, newest first.
    assert.deepEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(ask), [
      "10.2.0.1:80",
      "10.2.0.2:80",
      "10.2.0.3:80",
    ]);
    const inOrder = target(director, from(director, tcp("192.0.2.9:1"), SYN, 0));
    assert.equal(target(director, from(director, tcp("192.0.2.1:2"), SYN, 0)), inOrder, "the VIP's bucket");
  },

  "schedule_icmp 1: an error about a port that FTP's service cannot place is the host's": (make) => {
    const director = make();
    const service = director.addService(tcpService("10.99.0.1:21"), 0);
    const handle = director.addDestination(service, destination("10.2.0.1:21"), 0);
    director.sysctl.schedule_icmp = 1;
    const data = icmp(director, tcp("192.0.2.1:1", "10.99.0.1:50000"));
    assert.deepEqual([data.action, data.reason], [ACTION.accept, DROP_REASON.noDestination]);
    director.setWeight(handle, 0, 0);
    assert.equal(icmp(director, tcp("192.0.2.1:1", "10.99.0.1:21")).action, ACTION.drop);
  },

  "nat_icmp_send: a real server is told that its packet has no connection, others are not": (make) => {
    const director = make();
    const { handle } = withOne(director);
    const stray = (text = "10.2.0.1:8080", flags: number = ACK) =>
      back(director, tcp("192.0.2.1:1", text), flags, 0).action;
    assert.equal(stray(), ACTION.accept, "off by default: it leaks");
    director.sysctl.nat_icmp_send = 1;
    assert.equal(stray(), ACTION.reject);
    assert.equal(stray("10.2.0.1:8080", FIN | ACK), ACTION.reject);
    assert.equal(stray("10.2.0.1:8080", RST), ACTION.accept, "no answer to a reset");
    assert.equal(stray("10.2.0.1:8081"), ACTION.accept);
    assert.equal(stray("10.2.0.2:8080"), ACTION.accept);
    assert.equal(back(director, udp("192.0.2.1:1", "10.2.0.1:8080"), 0, 0).action, ACTION.accept);
    director.editDestination(handle, destination("10.2.0.1:8080", { method: "dr" }), 0);
    assert.equal(stray(), ACTION.accept, "only NAT servers answer through the director");
    director.deleteDestination(handle, 0);
    assert.equal(stray(), ACTION.accept);
  },

  "nat_icmp_send: a server of a mark is known for every protocol": (make) => {
    const director = make();
    const service = director.addService({ key: { mark: 5, family: 4 }, scheduler: "rr" }, 0);
    director.addDestination(service, destination("10.2.0.1:53"), 0);
    director.sysctl.nat_icmp_send = 1;
    assert.equal(back(director, udp("192.0.2.1:1", "10.2.0.1:53"), 0, 0).action, ACTION.reject);
  },

  "cache_bypass: without a server a marked flow goes on to its own address, and stays so": (make) => {
    const director = make({ isBypassed: (flow) => flow.virtualPort === 80 });
    const service = director.addService({ key: { mark: 5, family: 4 }, scheduler: "rr" }, 0);
    const marked = (port: number) => {
      const flow = tcp("192.0.2.1:1", `198.51.100.7:${port}`);
      flow.mark = 5;
      return flow;
    };
    const flow = marked(80);
    assert.equal(from(director, flow, SYN, 0).action, ACTION.reject);
    director.sysctl.cache_bypass = 1;
    assert.equal(from(director, marked(443), SYN, 0).action, ACTION.reject, "one of our own addresses");
    const first = from(director, flow, SYN, 0);
    assert.deepEqual([first.action, first.destination, first.isNew], [ACTION.bypass, -1, true]);
    const handle = director.addDestination(service, destination("10.2.0.1:0"), 0);
    director.sysctl.expire_nodest_conn = 1;
    assert.equal(from(director, flow, SYN, 1).isNew, false, "no server of its own has weight 0");
    assert.equal(from(director, flow, ACK, 1).action, ACTION.bypass);
    assert.equal(back(director, flow, ACK, 1).action, ACTION.forward);
    assert.equal(icmp(director, marked(80), 1).action, ACTION.bypass);
    const [entry] = director.connections();
    assert.deepEqual(
      [entry?.state, `${entry?.destination.address}:${entry?.destination.port}`, (entry?.flags ?? 0) & 7],
      ["ESTABLISHED", "0.0.0.0:0", 4],
    );
    assert.deepEqual(counts(director.destinationView(handle)), [0, 0, 0]);
    assert.deepEqual(director.totals().inPackets, 0, "nothing counts it");
    director.advance(1_000_000);
    assert.equal(director.connectionCount, 0);
  },

  "cache_bypass is for marks, not for addresses": (make) => {
    const director = make({ isBypassed: () => true });
    director.addService(tcpService(), 0);
    director.sysctl.cache_bypass = 1;
    assert.equal(from(director, tcp("192.0.2.1:1"), SYN, 0).action, ACTION.reject);
  },

  "a mark goes before the listener's own service": (make) => {
    const director = make();
    const { service } = withOne(director);
    const group = director.addService({ key: { mark: 5, family: 4 }, scheduler: "rr" }, 0);
    director.addDestination(group, destination("10.2.0.9:80"), 0);
    const flow = tcp("192.0.2.1:1");
    flow.service = service;
    flow.mark = 5;
    assert.equal(target(director, from(director, flow, SYN, 0)), "10.2.0.9:80");
    const second = director.addDestination(group, destination("10.2.0.10:80"), 0);
    assert.equal(
      director.reschedule(flow, [flow.entry], 0).destination,
      second,
      "asked again, it is the mark's",
    );
    const unknown = tcp("192.0.2.1:2");
    unknown.service = service;
    unknown.mark = 6;
    assert.equal(target(director, from(director, unknown, SYN, 0)), "10.2.0.1:8080");
  },

  "sloppy_sctp: any chunk but ABORT opens an association": (make) => {
    const director = make();
    const service = director.addService({ ...udpService(), key: { ...udpService().key, protocol: 132 } }, 0);
    director.addDestination(service, destination("10.2.0.1:53"), 0);
    const chunk = (port: number, event: number) => {
      const flow = udp(`192.0.2.1:${port}`);
      flow.protocol = 132;
      return from(director, flow, event, 0).action;
    };
    assert.equal(chunk(1, 1), ACTION.forward, "INIT");
    assert.equal(chunk(2, 0), ACTION.accept, "DATA");
    director.sysctl.sloppy_sctp = 1;
    assert.equal(chunk(2, 0), ACTION.forward);
    assert.equal(chunk(3, 9), ACTION.accept, "ABORT");
  },
};
