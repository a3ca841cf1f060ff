/** Persistence templates. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import { SCTP_EVENT } from "../../../director/sctp_states.ts";
import type { PersistenceSpec } from "../../../director/specs.ts";
import { ACTION, DROP_REASON } from "../../../director/verdict.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import {
  back,
  type Cases,
  close,
  counts,
  destination,
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

const THIRTY_SECONDS: PersistenceSpec = { timeoutMs: 30_000, prefixLength: 32 };

function withThree(director: Director, persistence: PersistenceSpec = THIRTY_SECONDS) {
  const service = director.addService(tcpService("10.99.0.1:80", { persistence }), 0);
  const handles = [1, 2, 3].map((host) =>
    director.addDestination(service, destination(`10.2.0.${host}:8080`), 0)
  );
  return { service, handles };
}

const template = (director: Director) => [...director.connections()].find((view) => view.isTemplate);
const host = (director: Director, client: string, nowMs: number, virtual?: string) =>
  target(director, open(director, tcp(client, virtual), nowMs));

export const persistenceCases: Cases = {
  "a client stays with its server, another one does not share it": (make) => {
    const director = make();
    const { service } = withThree(director);
    assert.deepEqual(
      ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "192.0.2.1:3"].map((client) => host(director, client, 0)),
      ["10.2.0.3:8080", "10.2.0.3:8080", "10.2.0.2:8080", "10.2.0.3:8080"],
    );
    assert.deepEqual(director.destinationViews(service).map(counts), [[3, 0, 1], [1, 0, 1], [0, 0, 0]]);
    assert.deepEqual([director.connectionCount, director.templateCount], [4, 2]);
  },

  "the template shows as the kernel's: masked client, port 0, ASSURED once established": (make) => {
    const director = make();
    withThree(director, { timeoutMs: 30_000, prefixLength: 16 });
    const flow = tcp("192.0.2.1:1");
    from(director, flow, SYN, 0);
    assert.equal(template(director)?.state, "NONE");
    back(director, flow, SYN | 0x10, 0);
    from(director, flow, 0x10, 0);
    const view = template(director);
    assert.equal(view?.state, "ASSURED");
    assert.equal(`${view?.client.address}:${view?.client.port}`, "192.0.0.0:0");
    assert.equal(`${view?.virtual.address}:${view?.virtual.port}`, "10.99.0.1:80");
    assert.equal(`${view?.destination.address}:${view?.destination.port}`, "10.2.0.3:8080");
    assert.equal(view?.controls, 1);
  },

  "a netmask joins clients, an odd one too": (make) => {
    const director = make();
    withThree(director, { timeoutMs: 30_000, netmask: 0xff00ff00 });
    assert.equal(host(director, "192.0.2.1:1", 0), host(director, "192.77.2.99:1", 0));
    assert.notEqual(host(director, "192.0.2.1:2", 0), host(director, "192.0.3.1:1", 0));
  },

  "IPv6 clients are joined by prefix": (make) => {
    const director = make();
    const persistence = { timeoutMs: 30_000, prefixLength: 64 };
    const service = director.addService(tcpService("[fd00::1]:80", { persistence }), 0);
    for (const last of [1, 2]) director.addDestination(service, destination(`[fd02::${last}]:80`), 0);
    const to = "[fd00::1]:80";
    const first = host(director, "[2001:db8::1]:1", 0, to);
    assert.equal(host(director, "[2001:db8::ffff]:1", 0, to), first);
    assert.notEqual(host(director, "[2001:db8:0:1::1]:1", 0, to), first);
  },

  "its time begins again with every connection, not with packets": (make) => {
    const director = make();
    withThree(director);
    const flow = tcp("192.0.2.1:1");
    open(director, flow, 0);
    from(director, flow, RST, 0);
    director.advance(25_000);
    assert.equal(template(director)?.expiresMs, 5_000);
    open(director, tcp("192.0.2.1:2"), 25_000);
    assert.equal(template(director)?.expiresMs, 30_000);
  },

  "due with connections on it: 60 s more, and 60 s from then on": (make) => {
    const director = make();
    withThree(director, { timeoutMs: 3_000, prefixLength: 32 });
    const flow = tcp("192.0.2.1:1");
    open(director, flow, 0);
    director.advance(2_999);
    assert.equal(template(director)?.expiresMs, 1);
    director.advance(3_400);
    assert.equal(template(director)?.expiresMs, 59_600);
    open(director, tcp("192.0.2.1:2"), 4_000);
    assert.equal(template(director)?.expiresMs, 60_000);
    from(director, flow, RST, 6_000);
    director.forget(tcp("192.0.2.1:2"), 6_000);
    director.advance(63_900);
    assert.equal(director.connectionCount, 0);
    assert.equal(template(director)?.expiresMs, 100);
    director.advance(64_000);
    assert.equal(director.templateCount, 0);
  },

  "a search that comes before the timer finds the same": (make) => {
    const director = make();
    withThree(director, { timeoutMs: 3_000, prefixLength: 32 });
    open(director, tcp("192.0.2.1:1"), 0);
    assert.equal(host(director, "192.0.2.1:2", 50_000), "10.2.0.3:8080");
    for (const port of [1, 2]) director.forget(tcp(`192.0.2.1:${port}`), 50_000);
    assert.equal(host(director, "192.0.2.1:3", 109_999), "10.2.0.3:8080");
    director.forget(tcp("192.0.2.1:3"), 109_999);
    assert.equal(host(director, "192.0.2.1:4", 109_999 + 60_000), "10.2.0.2:8080");
  },

  "weight 0 and overload do not part a client from its server": (make) => {
    const director = make();
    const { handles } = withThree(director);
    open(director, tcp("192.0.2.1:1"), 0);
    const spec = { weight: 0, upperThreshold: 1 };
    director.editDestination(handles[2] ?? 0, destination("10.2.0.3:8080", spec), 0);
    assert.equal(director.destinationView(handles[2] ?? 0).overloaded, true);
    assert.equal(host(director, "192.0.2.1:2", 0), "10.2.0.3:8080");
  },

  "expire_quiescent_template: weight 0 does, and the old template waits unfindable": (make) => {
    const director = make();
    const { handles } = withThree(director);
    open(director, tcp("192.0.2.1:1"), 0);
    director.sysctl.expire_quiescent_template = 1;
    director.setWeight(handles[2] ?? 0, 0, 0);
    assert.equal(host(director, "192.0.2.1:2", 0), "10.2.0.2:8080");
    assert.deepEqual(
      [...director.connections()].filter((view) => view.isTemplate).map((view) => view.virtual.port),
      [65_535, 80],
    );
    assert.equal(counts(director.destinationView(handles[2] ?? 0))[2], 1);
    director.setWeight(handles[2] ?? 0, 1, 0);
    assert.equal(host(director, "192.0.2.1:3", 0), "10.2.0.2:8080");
  },

  "a deleted server loses its clients, a revived one does not get them back": (make) => {
    const director = make();
    const { service, handles } = withThree(director);
    open(director, tcp("192.0.2.1:1"), 0);
    director.deleteDestination(handles[2] ?? 0, 0);
    assert.equal(host(director, "192.0.2.1:2", 0), "10.2.0.2:8080");
    director.addDestination(service, destination("10.2.0.3:8080"), 0);
    assert.equal(host(director, "192.0.2.1:3", 0), "10.2.0.2:8080");
  },

  "a mark joins ports, addresses and protocols": (make) => {
    const director = make();
    const service = director.addService({
      key: { mark: 9, family: 4 },
      scheduler: "rr",
      persistence: THIRTY_SECONDS,
    }, 0);
    for (const last of [1, 2]) director.addDestination(service, destination(`10.2.0.${last}:0`), 0);
    const flows = [
      tcp("192.0.2.1:1", "10.99.0.1:80"),
      tcp("192.0.2.1:2", "10.99.0.2:443"),
      udp("192.0.2.1:3", "10.99.0.3:53"),
    ];
    const targets = flows.map((flow) => {
      flow.mark = 9;
      return target(director, from(director, flow, SYN, 0));
    });
    assert.deepEqual(targets, ["10.2.0.2:80", "10.2.0.2:443", "10.2.0.2:53"]);
    const view = template(director);
    assert.equal(view?.protocol, PROTOCOL.ip);
    assert.equal(`${view?.virtual.address}:${view?.virtual.port}`, "0.0.0.9:0");
    assert.equal(view?.controls, 3);
  },

  "port 0 joins the ports of one address and protocol, and never maps them": (make) => {
    const director = make();
    const service = director.addService(tcpService("10.99.0.1:0", { persistence: THIRTY_SECONDS }), 0);
    for (const last of [1, 2]) director.addDestination(service, destination(`10.2.0.${last}:8080`), 0);
    assert.equal(host(director, "192.0.2.1:1", 0, "10.99.0.1:80"), "10.2.0.2:80");
    assert.equal(host(director, "192.0.2.1:2", 0, "10.99.0.1:443"), "10.2.0.2:443");
    assert.equal(template(director)?.virtual.port, 0);
  },

  "FTP's control and data connections share one template: port 21, 20, and all from 1024 on, of TCP alone": (
    make,
  ) => {
    const director = make();
    const service = director.addService(tcpService("10.99.0.1:21", { persistence: THIRTY_SECONDS }), 0);
    for (const last of [1, 2]) director.addDestination(service, destination(`10.2.0.${last}:2121`), 0);
    assert.deepEqual(
      [21, 20, 1_024, 50_000].map((port) => host(director, `192.0.2.1:${port + 1}`, 0, `10.99.0.1:${port}`)),
      ["10.2.0.2:2121", "10.2.0.2:20", "10.2.0.2:1024", "10.2.0.2:50000"],
    );
    assert.deepEqual([director.templateCount, template(director)?.controls], [1, 4]);
    const view = template(director);
    assert.deepEqual([view?.virtual.port, view?.destination.port], [0, 0]);
    director.addService(udpService("10.99.0.1:21"), 0);
    const others = [tcp("192.0.2.1:1", "10.99.0.1:1023"), udp("192.0.2.1:1", "10.99.0.1:1024")];
    for (const flow of others) assert.equal(from(director, flow, SYN, 0).reason, DROP_REASON.noService);
  },

  "another timeout or netmask is for the templates to come": (make) => {
    const director = make();
    const { service } = withThree(director);
    const old = host(director, "192.0.2.1:1", 0);
    const edit = (persistence: PersistenceSpec) =>
      director.editService(service, tcpService("10.99.0.1:80", { persistence }), 0);
    edit({ timeoutMs: 90_000, prefixLength: 32 });
    assert.equal(host(director, "192.0.2.1:2", 10_000), old);
    assert.equal(template(director)?.expiresMs, 30_000, "the time that the template was made with");
    host(director, "192.0.2.2:1", 10_000);
    const times = () => [...director.connections()].filter((it) => it.isTemplate).map((it) => it.expiresMs);
    assert.deepEqual(times(), [30_000, 90_000]);
    edit({ timeoutMs: 90_000, prefixLength: 24 });
    assert.notEqual(host(director, "192.0.2.1:3", 10_000), old, "192.0.2.1 is not 192.0.2.0");
    assert.equal(director.templateCount, 3);
  },

  "one-packet datagrams use the template and leave no trace on it": (make) => {
    const director = make();
    const service = director.addService(
      udpService("10.99.0.1:53", { onePacket: true, persistence: THIRTY_SECONDS }),
      0,
    );
    for (const last of [1, 2]) director.addDestination(service, destination(`10.2.0.${last}:53`), 0);
    const targets = [0, 0, 0].map((ms) => target(director, from(director, udp("192.0.2.1:1"), 0, ms)));
    assert.deepEqual(new Set(targets), new Set(["10.2.0.2:53"]));
    assert.deepEqual([director.connectionCount, template(director)?.controls], [0, 0]);
    director.advance(30_000);
    assert.equal(director.templateCount, 0);
  },

  "UDP assures its template by an answer": (make) => {
    const director = make();
    const service = director.addService(udpService("10.99.0.1:53", { persistence: THIRTY_SECONDS }), 0);
    director.addDestination(service, destination("10.2.0.1:53"), 0);
    const flow = udp("192.0.2.1:1");
    from(director, flow, 0, 0);
    assert.equal(template(director)?.state, "NONE");
    back(director, flow, 0, 0);
    assert.equal(template(director)?.state, "ASSURED");
  },

  "SCTP assures its template once established": (make) => {
    const director = make();
    const key = { ...tcpService().key, protocol: PROTOCOL.sctp };
    const service = director.addService({ key, scheduler: "rr", persistence: THIRTY_SECONDS }, 0);
    director.addDestination(service, destination("10.2.0.1:80"), 0);
    const flow = tcp("192.0.2.1:1");
    flow.protocol = PROTOCOL.sctp;
    from(director, flow, SCTP_EVENT.init, 0);
    back(director, flow, SCTP_EVENT.initAck, 0);
    assert.equal(template(director)?.state, "NONE");
    back(director, flow, SCTP_EVENT.cookieAck, 0);
    assert.equal(template(director)?.state, "ASSURED");
  },

  "a client whose server does not answer moves with its template": (make) => {
    const director = make();
    const { handles } = withThree(director);
    const flow = tcp("192.0.2.1:1");
    from(director, flow, SYN, 0);
    director.reschedule(flow, [handles[2] ?? 0], 0);
    assert.equal(host(director, "192.0.2.1:2", 0), "10.2.0.2:8080");
    const valid = [...director.connections()].filter((view) => view.isTemplate && view.virtual.port === 80);
    assert.deepEqual(valid.map((view) => view.controls), [2]);
    director.reschedule(flow, handles, 0);
    assert.equal(host(director, "192.0.2.1:3", 0), "10.2.0.2:8080", "no other server: it stays");
  },

  "without persistence templates are not asked any more": (make) => {
    const director = make();
    const { service } = withThree(director);
    open(director, tcp("192.0.2.1:1"), 0);
    director.editService(service, tcpService(), 0);
    assert.equal(host(director, "192.0.2.1:2", 0), "10.2.0.2:8080");
  },

  "a full table: templates nobody uses give way, the rest never": (make) => {
    const director = make();
    withThree(director);
    const flows = Array.from({ length: 64 }, (_, i) => tcp(`192.0.2.${i + 1}:1`));
    for (const flow of flows) open(director, flow, 0);
    assert.equal(director.templateCount, 64);
    const refused = from(director, tcp("192.0.3.1:1"), SYN, 0);
    assert.deepEqual([refused.action, refused.reason], [ACTION.drop, DROP_REASON.tableFull]);
    const gone = flows[40] ?? tcp("192.0.2.1:1");
    close(director, gone, 0);
    director.forget(gone, 0);
    assert.equal(open(director, tcp("192.0.3.1:1"), 0).action, ACTION.forward);
    assert.equal(director.templateCount, 64);
    director.advance(2_000_000);
    assert.equal(director.templateCount, 0);
  },

  "a connection that found no room does not hang on its template": (make) => {
    const director = make({ connectionEntries: 1 });
    withThree(director);
    open(director, tcp("192.0.2.1:1"), 0);
    assert.equal(from(director, tcp("192.0.2.1:2"), SYN, 0).reason, DROP_REASON.tableFull);
    assert.equal(template(director)?.controls, 1);
  },

  "everything is zero when the last has gone": (make) => {
    const director = make();
    const { service } = withThree(director);
    for (let i = 1; i < 30; i++) open(director, tcp(`192.0.2.${i}:${1_000 + i}`), i);
    director.advance(899_000);
    assert.equal(director.templateCount, 29);
    director.advance(1_000_000);
    assert.deepEqual([director.connectionCount, director.templateCount], [0, 0]);
    assert.deepEqual(director.destinationViews(service).map(counts), [[0, 0, 0], [0, 0, 0], [0, 0, 0]]);
  },
};
