/** Connections begin, are known again, are used anew, give way, and are decided anew. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import type { EndCause } from "../../../director/entries.ts";
import { ACTION, DROP_REASON } from "../../../director/verdict.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import {
  ACK,
  back,
  type Cases,
  close,
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

function withTwo(director: Director, more: Parameters<typeof tcpService>[1] = {}) {
  const service = director.addService(tcpService("10.99.0.1:80", more), 0);
  const a = director.addDestination(service, destination("10.2.0.1:80"), 0);
  const b = director.addDestination(service, destination("10.2.0.2:80"), 0);
  return { service, a, b };
}

const sums = (director: Director, service: number) =>
  director.destinationViews(service).map((view) => counts(view).slice(0, 2));

export const openingCases: Cases = {
  "one SYN is one active connection, an end makes it inactive, time takes it away": (make) => {
    const director = make();
    const { service } = withTwo(director);
    const flow = tcp("192.0.2.1:1");
    assert.equal(from(director, flow, SYN, 0).isNew, true);
    assert.deepEqual(sums(director, service), [[1, 0], [0, 0]]);
    assert.equal(from(director, flow, ACK, 0).isNew, false);
    close(director, flow, 0);
    assert.deepEqual(sums(director, service), [[0, 1], [0, 0]]);
    director.advance(119_999);
    assert.deepEqual([director.connectionCount, sums(director, service)], [1, [[0, 1], [0, 0]]]);
    director.advance(120_000);
    assert.deepEqual([director.connectionCount, sums(director, service)], [0, [[0, 0], [0, 0]]]);
  },

  "UDP is never active and lives 300 s from its last datagram, either way": (make) => {
    const director = make();
    const service = director.addService(udpService(), 0);
    director.addDestination(service, destination("10.2.0.1:53"), 0);
    const flow = udp("192.0.2.1:1");
    from(director, flow, 0, 0);
    assert.deepEqual(sums(director, service), [[0, 1]]);
    back(director, flow, 0, 200_000);
    director.advance(499_999);
    assert.equal(director.connectionCount, 1);
    director.advance(500_000);
    assert.deepEqual([director.connectionCount, sums(director, service)], [0, [[0, 0]]]);
  },

  "what cannot open a connection goes to the host": (make) => {
    const director = make();
    withTwo(director);
    for (const flags of [ACK, FIN | ACK, RST, SYN | RST, 0]) {
      const verdict = from(director, tcp("192.0.2.1:1"), flags, 0);
      assert.deepEqual(
        [verdict.action, verdict.reason],
        [ACTION.accept, DROP_REASON.notNew],
        `flags ${flags}`,
      );
    }
    assert.equal(back(director, tcp("192.0.2.1:1"), ACK, 0).action, ACTION.accept);
    const other = tcp("192.0.2.1:1");
    other.protocol = 47;
    assert.equal(from(director, other, SYN, 0).reason, DROP_REASON.noService);
    assert.equal(from(director, tcp("192.0.2.1:20"), SYN, 0).reason, DROP_REASON.notNew);
    assert.equal(director.connectionCount, 0);
    assert.equal(director.drops.notNew, 7);
    assert.equal(director.drops.noService, 1);
  },

  "sloppy_tcp opens with an ACK": (make) => {
    const director = make();
    const { service } = withTwo(director);
    director.sysctl.sloppy_tcp = 1;
    assert.equal(from(director, tcp("192.0.2.1:1"), ACK, 0).action, ACTION.forward);
    assert.equal([...director.connections()][0]?.state, "ESTABLISHED");
    assert.deepEqual(sums(director, service)[0], [1, 0]);
    assert.equal(from(director, tcp("192.0.2.1:2"), RST, 0).action, ACTION.accept);
  },

  "without a destination the client is refused, and nothing is counted": (make) => {
    const director = make();
    const { a, b } = withTwo(director);
    director.setWeight(a, 0, 0);
    director.setWeight(b, 0, 0);
    const verdict = from(director, tcp("192.0.2.1:1"), SYN, 0);
    assert.deepEqual([verdict.action, verdict.reason], [ACTION.reject, DROP_REASON.noDestination]);
    assert.equal(director.totals().connections, 0);
    assert.equal(director.drops.noDestination, 1);
  },

  "a destination without a port of its own keeps the packet's": (make) => {
    const director = make();
    const service = director.addService({ key: { mark: 3, family: 4 }, scheduler: "rr" }, 0);
    director.addDestination(service, destination("10.2.0.1:0"), 0);
    const flow = tcp("192.0.2.1:1", "10.99.0.5:8443");
    flow.mark = 3;
    assert.equal(from(director, flow, SYN, 0).destinationPort, 8_443);
    assert.equal(from(director, flow, ACK, 0).destinationPort, 8_443);
  },

  "a stale or foreign entry handle does no harm": (make) => {
    const director = make();
    withTwo(director);
    const flow = tcp("192.0.2.1:1");
    const first = open(director, flow, 0);
    const other = tcp("192.0.2.1:2");
    other.entry = first.entry;
    assert.notEqual(from(director, other, SYN, 0).entry, first.entry);
    close(director, flow, 0);
    director.advance(120_000);
    const kept = first.entry;
    flow.entry = kept;
    const again = from(director, flow, SYN, 120_000);
    assert.equal(again.isNew, true);
    assert.notEqual(again.entry, kept);
    flow.entry = 0x7fffffff;
    assert.equal(from(director, flow, ACK, 120_000).entry, again.entry);
  },

  "an entry past its time is gone before anybody looked": (make) => {
    const ended: EndCause[] = [];
    const director = make({ onExpire: (_entry, { cause }) => ended.push(cause) });
    const { service } = withTwo(director);
    const flow = tcp("192.0.2.1:1");
    open(director, flow, 0);
    director.segment(flow, 0, ACK, 0, 899_999);
    assert.equal(director.connectionCount, 1);
    assert.equal(from(director, flow, ACK, 899_999 + 900_000).reason, DROP_REASON.notNew);
    assert.deepEqual([director.connectionCount, sums(director, service)], [0, [[0, 0], [0, 0]]]);
    assert.deepEqual(ended, ["timeout"]);
  },

  "an end by itself is told with the handle, forget is not": (make) => {
    const ended: [number, string, string][] = [];
    const director = make({
      onExpire: (entry, { cause, flow }) => ended.push([entry, cause, flow.toString()]),
    });
    const { service } = withTwo(director);
    const flow = tcp("192.0.2.1:1");
    const { entry } = open(director, flow, 0);
    const evicted = tcp("192.0.2.1:2");
    open(director, evicted, 0);
    director.forget(evicted, 0);
    assert.equal(evicted.entry, -1);
    director.advance(900_000);
    assert.deepEqual(ended, [[entry, "timeout", "tcp 192.0.2.1:1 -> 10.99.0.1:80"]]);
    assert.deepEqual(sums(director, service), [[0, 0], [0, 0]]);
  },

  "--set is for the next packet, and 0 leaves a value": (make) => {
    const director = make();
    withTwo(director);
    const flow = tcp("192.0.2.1:1");
    open(director, flow, 0);
    director.setTimeouts({ tcpMs: 2_000, tcpFinMs: 0, udpMs: undefined });
    assert.deepEqual(director.timeouts, { tcpMs: 2_000, tcpFinMs: 120_000, udpMs: 300_000 });
    director.advance(800_000);
    assert.equal(director.connectionCount, 1);
    from(director, flow, ACK, 800_000);
    director.advance(801_999);
    assert.equal(director.connectionCount, 1);
    director.advance(802_000);
    assert.equal(director.connectionCount, 0);
    assert.throws(() => director.setTimeouts({ tcpMs: -1 }), { code: "EINVAL" });
    assert.throws(() => director.setTimeouts({ udpMs: 8_589_935_000 }), { code: "EINVAL" });
  },

  "conn_reuse_mode 1: a SYN on an ended connection is scheduled, the old entry still counted": (make) => {
    const director = make();
    const { service, a, b } = withTwo(director);
    const flow = tcp("192.0.2.1:1");
    assert.equal(open(director, flow, 0).destination, b);
    close(director, flow, 0);
    let seen: number[] = [];
    const spy = make({
      store: director.store,
      findScheduler: (name) => ({
        name,
        cellCount: 0,
        start: () => {},
        added: () => {},
        removing: () => {},
        removed: () => {},
        edited: () => {},
        pick: (_question, list) => {
          seen = [list.inactiveConns(b), list.inactiveConns(a)];
          return a;
        },
      }),
    });
    const twin = tcp("192.0.2.1:1");
    open(spy, twin, 0);
    close(spy, twin, 0);
    const reused = from(spy, twin, SYN, 0);
    assert.equal(reused.isNew, true);
    // Entry of the other director at b, the ended one at a.
    assert.deepEqual(seen, [1, 1]);
    assert.deepEqual(sums(director, service), [[0, 1], [1, 0]]);
    assert.equal(spy.connectionCount, 1);
  },

  "conn_reuse_mode 1: a SYN after a reset is scheduled too": (make) => {
    const director = make();
    const { a, b } = withTwo(director);
    const flow = tcp("192.0.2.1:1");
    assert.equal(open(director, flow, 0).destination, b);
    from(director, flow, RST, 0);
    const again = from(director, flow, SYN, 0);
    assert.deepEqual([again.destination, again.isNew], [a, true]);
  },

  "conn_reuse_mode 0 keeps the server, and a persistent connection always does": (make) => {
    for (const mode of [0, 1]) {
      const director = make();
      const persistence = mode === 1 ? { persistence: { timeoutMs: 60_000, prefixLength: 32 } } : {};
      withTwo(director, persistence);
      director.sysctl.conn_reuse_mode = mode;
      const flow = tcp("192.0.2.1:1");
      const { entry } = open(director, flow, 0);
      close(director, flow, 0);
      const again = from(director, flow, SYN, 0);
      assert.deepEqual([again.isNew, again.entry], [false, entry]);
    }
  },

  "conn_reuse_mode 2: FIN_WAIT of DR is over, of NAT it is not": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    const handle = director.addDestination(service, destination("10.2.0.1:80", { method: "dr" }), 0);
    const finWait = (client: string) => {
      const flow = tcp(client);
      from(director, flow, SYN, 0);
      from(director, flow, ACK, 0);
      from(director, flow, FIN | ACK, 0);
      return flow;
    };
    assert.equal(from(director, finWait("192.0.2.1:1"), SYN, 0).isNew, false);
    director.sysctl.conn_reuse_mode = 3;
    assert.equal(from(director, finWait("192.0.2.1:2"), SYN, 0).isNew, true);
    director.editDestination(handle, destination("10.2.0.1:80"), 0);
    const nat = tcp("192.0.2.1:3");
    open(director, nat, 0);
    back(director, nat, FIN | ACK, 0);
    assert.equal(from(director, nat, SYN, 0).isNew, false);
  },

  "a full table: ended entries give way, oldest first; live ones never": (make) => {
    const ended: string[] = [];
    const director = make({
      connectionEntries: 4,
      onExpire: (_entry, { cause, flow }) => ended.push(`${cause} ${flow.clientPort}`),
    });
    const { service } = withTwo(director);
    const flows = [1, 2, 3, 4].map((port) => tcp(`192.0.2.1:${port}`));
    for (const flow of flows) open(director, flow, 0);
    const refused = from(director, tcp("192.0.2.1:5"), SYN, 0);
    assert.deepEqual([refused.action, refused.reason], [ACTION.drop, DROP_REASON.tableFull]);
    for (const port of [3, 1]) close(director, flows[port - 1] ?? tcp("192.0.2.1:9"), 0);
    assert.equal(open(director, tcp("192.0.2.1:6"), 0).action, ACTION.forward);
    assert.equal(open(director, tcp("192.0.2.1:7"), 0).action, ACTION.forward);
    assert.equal(from(director, tcp("192.0.2.1:8"), SYN, 0).reason, DROP_REASON.tableFull);
    assert.deepEqual(ended, ["evicted 3", "evicted 1"]);
    assert.deepEqual(sums(director, service).flat().reduce((sum, n) => sum + n), 4);
    director.advance(900_000);
    assert.deepEqual([director.connectionCount, sums(director, service)], [0, [[0, 0], [0, 0]]]);
  },

  "a reused entry that is itself the oldest ended one of a full table is not ended twice": (make) => {
    const director = make({ connectionEntries: 1 });
    const { service } = withTwo(director);
    const flow = tcp("192.0.2.1:1");
    open(director, flow, 0);
    close(director, flow, 0);
    const again = from(director, flow, SYN, 0);
    assert.deepEqual([again.action, again.isNew], [ACTION.forward, true]);
    assert.deepEqual([director.connectionCount, sums(director, service)], [1, [[0, 0], [1, 0]]]);
    director.advance(60_000);
    assert.deepEqual([director.connectionCount, sums(director, service)], [0, [[0, 0], [0, 0]]]);
  },

  "one-packet: every datagram is scheduled, nothing is kept": (make) => {
    const director = make();
    const service = director.addService(udpService("10.99.0.1:53", { onePacket: true }), 0);
    director.addDestination(service, destination("10.2.0.1:53"), 0);
    director.addDestination(service, destination("10.2.0.2:53"), 0);
    const flow = udp("192.0.2.1:1");
    const verdicts = [0, 1, 2].map((ms) => from(director, flow, 0, ms));
    assert.deepEqual(verdicts.map((it) => target(director, it)), [
      "10.2.0.2:53",
      "10.2.0.1:53",
      "10.2.0.2:53",
    ]);
    assert.ok(verdicts.every((it) => it.entry === -1 && it.isNew && it.destinationPort === 53));
    assert.equal(director.connectionCount, 0);
    assert.deepEqual(sums(director, service), [[0, 0], [0, 0]]);
    assert.equal(director.totals().connections, 3);
    assert.equal(back(director, flow, 0, 3).action, ACTION.accept);
  },

  "one-packet is for UDP alone": (make) => {
    const director = make();
    withTwo(director, { onePacket: true });
    assert.ok(from(director, tcp("192.0.2.1:1"), SYN, 0).entry > 0);
  },

  "a failed connect is decided anew without the failed ones, and the entry moves": (make) => {
    const director = make();
    const { service, a, b } = withTwo(director);
    const flow = tcp("192.0.2.1:1");
    const first = from(director, flow, SYN, 0);
    assert.equal(first.destination, b);
    const second = director.reschedule(flow, [b], 0);
    assert.deepEqual([second.action, second.destination, second.entry], [ACTION.forward, a, first.entry]);
    assert.deepEqual(sums(director, service), [[0, 0], [1, 0]]);
    const third = director.reschedule(flow, [b, a], 0);
    assert.deepEqual([third.action, third.reason], [ACTION.reject, DROP_REASON.noDestination]);
    assert.equal(from(director, flow, ACK, 0).destination, a);
    assert.deepEqual(director.destinationViews(service).map((view) => view.statistics.connections), [1, 1]);
    assert.equal(director.serviceView(service).statistics.connections, 1);
    assert.equal(director.totals().connections, 1);
    director.advance(900_000);
    assert.deepEqual(sums(director, service), [[0, 0], [0, 0]]);
  },

  "the same client port to two virtual services are two connections": (make) => {
    const director = make();
    withTwo(director);
    const other = director.addService(tcpService("10.99.0.1:81"), 0);
    director.addDestination(other, destination("10.2.0.9:80"), 0);
    const first = from(director, tcp("192.0.2.1:1"), SYN, 0);
    const second = from(director, tcp("192.0.2.1:1", "10.99.0.1:81"), SYN, 0);
    assert.notEqual(first.entry, second.entry);
    assert.equal(from(director, tcp("192.0.2.1:1"), ACK, 0).entry, first.entry);
    assert.equal(director.connectionCount, 2);
  },

  "an answer that two connections could have is the newer one's; of DR the server's own address answers nothing":
    (
      make,
    ) => {
      const director = make();
      const entries = [80, 81].map((port) => {
        const service = director.addService(tcpService(`10.99.0.1:${port}`), 0);
        director.addDestination(service, destination("10.2.0.9:8080"), 0);
        return from(director, tcp("192.0.2.1:1", `10.99.0.1:${port}`), SYN, 0).entry;
      });
      const answer = () => back(director, tcp("192.0.2.1:1", "10.2.0.9:8080"), SYN | ACK, 0).entry;
      assert.equal(answer(), entries[1]);
      director.forget(tcp("192.0.2.1:1", "10.99.0.1:81"), 0);
      assert.equal(answer(), entries[0]);
      const service = director.addService(tcpService("10.99.0.1:82"), 0);
      director.addDestination(service, destination("10.2.0.8:82", { method: "dr" }), 0);
      from(director, tcp("192.0.2.1:2", "10.99.0.1:82"), SYN, 0);
      assert.equal(back(director, tcp("192.0.2.1:2", "10.2.0.8:82"), SYN | ACK, 0).action, ACTION.accept);
      assert.equal(back(director, tcp("192.0.2.1:2", "10.99.0.1:82"), SYN | ACK, 0).action, ACTION.forward);
    },

  "SCTP opens with INIT and is active in ESTABLISHED only": (make) => {
    const director = make();
    const key = { ...tcpService().key, protocol: PROTOCOL.sctp };
    const service = director.addService({ key, scheduler: "rr" }, 0);
    director.addDestination(service, destination("10.2.0.1:80"), 0);
    const flow = tcp("192.0.2.1:1");
    flow.protocol = PROTOCOL.sctp;
    const [data, init, initAck, cookieEcho, cookieAck, abort] = [0, 1, 2, 3, 4, 9];
    assert.equal(from(director, flow, data, 0).action, ACTION.accept);
    const states = [
      () => from(director, flow, init, 0),
      () => back(director, flow, initAck, 0),
      () => from(director, flow, cookieEcho, 0),
      () => back(director, flow, cookieAck, 0),
      () => from(director, flow, abort, 0),
    ].map((step) => {
      step();
      return `${[...director.connections()][0]?.state} ${sums(director, service)}`;
    });
    assert.deepEqual(states, ["INIT1 0,1", "C-SENT 0,1", "C-REPLIED 0,1", "ESTABLISHED 1,0", "CLOSED 0,1"]);
    assert.equal(from(director, flow, init, 0).isNew, true);
  },
};
