/** The persistence engine `sip`. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import type { ConnectionView } from "../../../director/views.ts";
import { ACTION, DROP_REASON, type Verdict } from "../../../director/verdict.ts";
import { Translation } from "../../../modes/translation.ts";
import type { Flow } from "../../../net/flow.ts";
import {
  back,
  type Cases,
  counts,
  destination,
  from,
  SYN,
  target,
  tcp,
  tcpService,
  udp,
  udpService,
} from "../../unit/director/testbed.ts";

const SIP = { persistence: { timeoutMs: 300_000, prefixLength: 32 }, persistenceEngine: "sip" } as const;

function withTwo(director: Director, more: Parameters<typeof udpService>[1] = {}): number {
  const service = director.addService(udpService("10.99.0.5:5061", { ...SIP, ...more }), 0);
  for (const last of [1, 2]) director.addDestination(service, destination(`10.2.0.${last}:80`), 0);
  return service;
}

function message(call: string): string {
  return `INVITE sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP pc33\r\nCall-ID: ${call}\r\n\r\n`;
}

function send(director: Director, client: string, text: string, nowMs = 0): Verdict {
  return from(director, flowOf(client, "10.99.0.5:5061", text), 0, nowMs);
}

function flowOf(client: string, virtual: string, text: string): Flow {
  const flow = udp(client, virtual);
  flow.payload = { payload: () => new TextEncoder().encode(text) };
  return flow;
}

/** A real server's message that no connection is known for. */
function call(director: Director, client: string, server: string, id: string): Verdict {
  return back(director, flowOf(client, server, message(id)), 0, 0);
}

function templates(director: Director): ConnectionView[] {
  return [...director.connections()].filter((view) => view.isTemplate);
}

export const sipCases: Cases = {
  "the conversation that a kernel showed: a template for each call of each client": (make) => {
    const director = make();
    const service = withTwo(director);
    const targets = [1, 2, 3, 4].map((last) => {
      const client = `10.0.7.${last}:5060`;
      const where = target(director, send(director, client, message(`call-${(last + 1) % 2}@example.net`)));
      back(director, udp(client, "10.99.0.5:5061"), 0, 0);
      return where;
    });
    assert.deepEqual(targets, ["10.2.0.2:80", "10.2.0.1:80", "10.2.0.2:80", "10.2.0.1:80"]);
    assert.deepEqual(director.destinationViews(service).map(counts), [[0, 2, 2], [0, 2, 2]]);
    const shown = templates(director).map((it) =>
      `${it.state} ${it.client.address}:${it.client.port} ${it.destination.address}:${it.destination.port} ` +
      `${it.persistenceEngine} ${it.persistenceData}`
    );
    assert.deepEqual(shown, [
      "ASSURED 10.0.7.1:0 10.2.0.2:80 sip call-0@example.net",
      "ASSURED 10.0.7.2:0 10.2.0.1:80 sip call-1@example.net",
      "ASSURED 10.0.7.3:0 10.2.0.2:80 sip call-0@example.net",
      "ASSURED 10.0.7.4:0 10.2.0.1:80 sip call-1@example.net",
    ]);
    assert.equal(director.serviceView(service).persistenceEngine, "sip");
  },

  "one client's calls are kept apart, one call is kept together": (make) => {
    const director = make();
    withTwo(director);
    const calls = ["a@x", "b@x", "a@x", "b@x", "A@x"];
    const targets = calls.map((call, i) =>
      target(director, send(director, `10.0.7.1:${5_000 + i}`, message(call)))
    );
    assert.deepEqual(targets, ["10.2.0.2:80", "10.2.0.1:80", "10.2.0.2:80", "10.2.0.1:80", "10.2.0.2:80"]);
    assert.equal(director.templateCount, 3);
  },

  "a netmask lets a call move between addresses": (make) => {
    const director = make();
    withTwo(director, { persistence: { timeoutMs: 300_000, prefixLength: 24 } });
    const targets = ["10.0.7.1:1", "10.0.7.2:1", "10.0.8.1:1"].map((client) =>
      target(director, send(director, client, message("a@x")))
    );
    assert.deepEqual(targets, ["10.2.0.2:80", "10.2.0.2:80", "10.2.0.1:80"]);
  },

  "what has no Call-ID is dropped without an answer, and leaves no entry": (make) => {
    const director = make();
    withTwo(director);
    for (const text of ["", "hello", "INVITE sip:b SIP/2.0\r\nFrom: a\r\n\r\n"]) {
      const verdict = send(director, "10.0.7.1:1", text);
      assert.deepEqual([verdict.action, verdict.reason], [ACTION.drop, DROP_REASON.persistenceEngine], text);
    }
    const blind = from(director, udp("10.0.7.1:1", "10.99.0.5:5061"), 0, 0);
    assert.equal(blind.reason, DROP_REASON.persistenceEngine, "an engine that hands no payload over");
    assert.deepEqual([director.connectionCount, director.templateCount], [0, 0]);
    assert.equal(director.drops.persistenceEngine, 4);
  },

  "a known conversation is not read again": (make) => {
    const director = make();
    withTwo(director);
    send(director, "10.0.7.1:1", message("a@x"));
    assert.equal(target(director, send(director, "10.0.7.1:1", "not SIP")), "10.2.0.2:80");
  },

  "TCP has no datagrams to read: everything is dropped": (make) => {
    const director = make();
    const service = director.addService(tcpService("10.99.0.1:80", SIP), 0);
    director.addDestination(service, destination("10.2.0.1:80"), 0);
    assert.equal(from(director, tcp("192.0.2.1:1"), SYN, 0).reason, DROP_REASON.persistenceEngine);
  },

  "without persistence the engine rests": (make) => {
    const director = make();
    const service = director.addService(udpService("10.99.0.5:5061", { persistenceEngine: "sip" }), 0);
    director.addDestination(service, destination("10.2.0.1:80"), 0);
    assert.equal(send(director, "10.0.7.1:1", "not SIP").action, ACTION.forward);
    assert.equal(director.templateCount, 0);
  },

  "a deleted server's call moves, and the old template waits unfindable": (make) => {
    const director = make();
    const service = withTwo(director);
    send(director, "10.0.7.1:1", message("a@x"));
    director.deleteDestination(director.destinationViews(service)[0]?.handle ?? 0, 0);
    assert.equal(target(director, send(director, "10.0.7.1:2", message("a@x"))), "10.2.0.1:80");
    assert.deepEqual(templates(director).map((it) => it.virtual.port), [65_535, 5_061]);
    director.advance(299_999);
    assert.equal(director.templateCount, 2);
    director.advance(1_000_000);
    director.advance(2_000_000);
    assert.deepEqual([director.connectionCount, director.templateCount], [0, 0]);
  },

  "an engine that there is not is refused": (make) => {
    const director = make();
    const wrong = udpService("10.99.0.5:5061", { persistenceEngine: "rtsp" });
    assert.throws(() => director.addService(wrong, 0), { code: "ENOENT" });
    const service = withTwo(director);
    assert.throws(() => director.editService(service, wrong, 0), { code: "ENOENT" });
    director.editService(service, udpService("10.99.0.5:5061"), 0);
    assert.equal(director.serviceView(service).persistenceEngine, undefined);
  },

  "a real server may call: connection and template are those that a request would have made": (make) => {
    const director = make();
    const service = withTwo(director);
    const verdict = call(director, "10.0.7.9:5060", "10.2.0.1:80", "out@example.net");
    assert.deepEqual([verdict.action, verdict.isNew], [ACTION.forward, true]);
    const [entry, template] = director.connections();
    const ends = (view: ConnectionView | undefined) =>
      [view?.client, view?.virtual, view?.destination].map((it) => `${it?.address}:${it?.port}`).join(" ");
    assert.equal(ends(entry), "10.0.7.9:5060 10.99.0.5:5061 10.2.0.1:80");
    assert.equal(ends(template), "10.0.7.9:0 10.99.0.5:5061 10.2.0.1:80");
    assert.deepEqual([template?.state, template?.persistenceData], ["ASSURED", "out@example.net"]);
    const { connections, inPackets, outPackets } = director.serviceView(service).statistics;
    assert.deepEqual([connections, inPackets, outPackets], [1, 0, 1]);
    assert.equal(call(director, "10.0.7.9:5060", "10.2.0.1:80", "out@example.net").isNew, false);
    // The client's answer, and its later messages of the same call from another port.
    assert.equal(target(director, send(director, "10.0.7.9:5060", "whatever")), "10.2.0.1:80");
    assert.equal(
      target(director, send(director, "10.0.7.9:5062", message("out@example.net"))),
      "10.2.0.1:80",
    );
  },

  "a call by another server than its template's moves the template": (make) => {
    const director = make();
    withTwo(director);
    assert.equal(
      target(director, send(director, "10.0.7.9:5060", message("one@example.net"))),
      "10.2.0.2:80",
    );
    call(director, "10.0.7.9:5070", "10.2.0.1:80", "one@example.net");
    assert.equal(
      target(director, send(director, "10.0.7.9:5061", message("one@example.net"))),
      "10.2.0.1:80",
    );
    assert.deepEqual(templates(director).map((it) => it.virtual.port), [65_535, 5_061]);
  },

  "who may not call: no known server, no Call-ID, TCP, servers of a mark, of every port, or by DR": (
    make,
  ) => {
    const director = make();
    withTwo(director);
    const others = [
      director.addService({ key: { mark: 5, family: 4 }, scheduler: "rr", ...SIP }, 0),
      director.addService(udpService("10.99.0.6:0", SIP), 0),
    ];
    for (const [i, service] of others.entries()) {
      director.addDestination(service, destination(`10.2.1.${i}:80`), 0);
    }
    const dr = director.addService(udpService("10.99.0.7:80", SIP), 0);
    director.addDestination(dr, destination("10.2.1.9:80", { method: "dr" }), 0);
    for (const server of ["10.2.0.3:80", "10.2.0.1:81", "10.2.1.0:80", "10.2.1.1:80", "10.2.1.9:80"]) {
      assert.equal(call(director, "10.0.7.9:5060", server, "x@example.net").action, ACTION.accept, server);
    }
    const mute = udp("10.0.7.9:5060", "10.2.0.1:80");
    mute.payload = { payload: () => Uint8Array.of(1, 2, 3) };
    assert.equal(back(director, mute, 0, 0).action, ACTION.accept);
    assert.equal(back(director, tcp("10.0.7.9:5060", "10.2.0.1:80"), SYN, 0).action, ACTION.accept);
    assert.equal([...director.connections()].length, 0);
  },

  "a call of a one-packet service leaves the template and no connection": (make) => {
    const director = make();
    const service = withTwo(director, { onePacket: true });
    const flow = flowOf("10.0.7.9:5060", "10.2.0.1:80", message("ops@example.net"));
    const verdict = back(director, flow, 0, 0);
    assert.deepEqual([verdict.action, verdict.entry, verdict.isNew], [ACTION.forward, -1, true]);
    const translation = new Translation();
    director.readTranslation(flow, verdict, translation);
    assert.deepEqual([translation.virtual[0], translation.virtualPort], [0x0a63_0005, 5_061]);
    assert.equal(director.connectionCount, 0);
    assert.deepEqual(templates(director).map(({ state, controls }) => [state, controls]), [["ASSURED", 0]]);
    assert.deepEqual(director.destinationViews(service).map(counts), [[0, 0, 0], [0, 0, 1]]);
    assert.equal(
      target(director, send(director, "10.0.7.9:5061", message("ops@example.net"))),
      "10.2.0.1:80",
    );
  },
};
