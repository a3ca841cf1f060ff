/** Counters of connections, packets and bytes. */
import assert from "node:assert/strict";
import {
  ACK,
  back,
  type Cases,
  destination,
  from,
  SYN,
  tcp,
  tcpService,
} from "../../unit/director/testbed.ts";

const counters = (
  connections: number,
  inPackets: number,
  outPackets: number,
  inBytes: number,
  outBytes: number,
) => ({
  connections,
  inPackets,
  outPackets,
  inBytes,
  outBytes,
});

export const statisticsCases: Cases = {
  "packets and bytes of both ways, for destination, service and total": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    const handle = director.addDestination(service, destination("10.2.0.1:80"), 0);
    const flow = tcp("192.0.2.1:1");
    from(director, flow, SYN, 0, 60);
    back(director, flow, SYN | ACK, 0, 60);
    from(director, flow, ACK, 0, 1_500);
    const expected = counters(1, 2, 1, 1_560, 60);
    assert.deepEqual(director.destinationView(handle).statistics, expected);
    assert.deepEqual(director.serviceView(service).statistics, expected);
    assert.deepEqual(director.totals(), expected);
  },

  "a socket engine's segments are bytes without packets": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    director.addDestination(service, destination("10.2.0.1:80"), 0);
    const flow = tcp("192.0.2.1:1");
    flow.packets = 0;
    from(director, flow, SYN, 0, 0);
    from(director, flow, ACK, 0, 5_000_000_000);
    assert.deepEqual(director.totals(), counters(1, 0, 0, 5_000_000_000, 0));
  },

  "zero begins the numbers again, of one service or of all": (make) => {
    const director = make();
    const services = ["10.99.0.1:80", "10.99.0.1:81"].map((virtual) => {
      const service = director.addService(tcpService(virtual), 0);
      director.addDestination(service, destination("10.2.0.1:80"), 0);
      from(director, tcp("192.0.2.1:1", virtual), SYN, 0, 100);
      return service;
    });
    director.zeroStatistics(services[0]);
    assert.equal(director.serviceView(services[0] ?? 0).statistics.inBytes, 0);
    assert.equal(director.destinationViews(services[0] ?? 0)[0]?.statistics.connections, 0);
    assert.equal(director.serviceView(services[1] ?? 0).statistics.inBytes, 100);
    assert.equal(director.totals().inBytes, 200);
    director.zeroStatistics();
    assert.equal(director.serviceView(services[1] ?? 0).statistics.inBytes, 0);
    assert.equal(director.totals().inBytes, 0);
    from(director, tcp("192.0.2.1:1"), ACK, 0, 7);
    assert.deepEqual(director.totals(), counters(0, 1, 0, 7, 0));
  },

  "a row used again starts at 0, the total goes on": (make) => {
    const director = make();
    const first = director.addService(tcpService(), 0);
    const handle = director.addDestination(first, destination("10.2.0.1:80"), 0);
    const flow = tcp("192.0.2.1:1");
    from(director, flow, SYN, 0, 100);
    director.forget(flow, 0);
    director.deleteService(first, 0);
    director.advance(60_000);
    director.advance(300_000);
    assert.throws(() => director.destinationView(handle));
    const second = director.addService(tcpService("10.99.0.1:81"), 300_000);
    const other = director.addDestination(second, destination("10.2.0.9:80"), 300_000);
    assert.deepEqual(director.serviceView(second).statistics, counters(0, 0, 0, 0, 0));
    assert.deepEqual(director.destinationView(other).statistics, counters(0, 0, 0, 0, 0));
    assert.equal(director.totals().inBytes, 100);
  },
};
