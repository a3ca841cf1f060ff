/** Virtual services: their keys, the search for one, and their changes. */
import assert from "node:assert/strict";
import { ACTION, DROP_REASON } from "../../../director/verdict.ts";
import {
  at,
  type Cases,
  destination,
  from,
  open,
  SYN,
  target,
  tcp,
  tcpService,
} from "../../unit/director/testbed.ts";

export const serviceCases: Cases = {
  "a key exists once": (make) => {
    const director = make();
    director.addService(tcpService(), 0);
    assert.throws(() => director.addService(tcpService(), 0), {
      code: "EEXIST",
      message: /TCP 10\.99\.0\.1:80/,
    });
  },

  "an unknown scheduler is refused and leaves nothing behind": (make) => {
    const director = make();
    assert.throws(() => director.addService(tcpService("10.99.0.1:80", { scheduler: "wrong" }), 0), {
      code: "ENOENT",
      message: /"wrong"/,
    });
    assert.equal(director.services().length, 0);
    const service = director.addService(tcpService(), 0);
    assert.throws(
      () => director.editService(service, tcpService("10.99.0.1:80", { scheduler: "wrong" }), 0),
      {
        code: "ENOENT",
      },
    );
    assert.equal(director.serviceView(service).scheduler, "rr");
  },

  "a handle kept after the service went is noticed, also when its row is used again": (make) => {
    const director = make();
    const old = director.addService(tcpService(), 0);
    director.deleteService(old, 0);
    assert.throws(() => director.serviceView(old), { code: "ESRCH" });
    const young = director.addService(tcpService("10.99.0.1:81"), 0);
    assert.notEqual(young, old);
    assert.throws(() => director.deleteService(old, 0), { code: "ESRCH" });
    assert.equal(director.serviceView(young).handle, young);
  },

  "room for services ends with a message": (make) => {
    const director = make();
    for (let port = 1; port <= 16; port++) director.addService(tcpService(`10.99.0.1:${port}`), 0);
    assert.throws(() => director.addService(tcpService("10.99.0.1:17"), 0), {
      code: "ENOMEM",
      message: /16/,
    });
    assert.equal(director.services().length, 16);
  },

  "a mark comes before the address, and matches any protocol and address": (make) => {
    const director = make();
    const byAddress = director.addService(tcpService(), 0);
    const byMark = director.addService({ key: { mark: 7, family: 4 }, scheduler: "rr" }, 0);
    director.addDestination(byAddress, destination("10.2.0.1:80"), 0);
    director.addDestination(byMark, destination("10.2.0.2:0"), 0);
    const marked = tcp("192.0.2.1:1", "10.99.0.77:8443");
    marked.mark = 7;
    assert.equal(target(director, from(director, marked, SYN, 0)), "10.2.0.2:8443");
    const other = tcp("192.0.2.1:2");
    other.mark = 8;
    assert.equal(target(director, from(director, other, SYN, 0)), "10.2.0.1:80");
    assert.deepEqual(director.serviceView(byMark).key, { mark: 7, family: 4 });
  },

  "a mark above 2^31 is found": (make) => {
    const director = make();
    const service = director.addService({ key: { mark: 4_294_967_295, family: 4 }, scheduler: "rr" }, 0);
    director.addDestination(service, destination("10.2.0.2:0"), 0);
    const flow = tcp("192.0.2.1:1");
    flow.mark = 4_294_967_295;
    assert.equal(from(director, flow, SYN, 0).service, service);
    assert.equal(director.findService({ mark: 4_294_967_295, family: 4 }), service);
  },

  "port 0 takes the ports that have no service, for persistent services only": (make) => {
    const director = make();
    const plain = director.addService(tcpService("10.99.0.1:0"), 0);
    director.addDestination(plain, destination("10.2.0.1:0"), 0);
    assert.equal(from(director, tcp("192.0.2.1:1"), SYN, 0).action, ACTION.reject);
    director.editService(
      plain,
      tcpService("10.99.0.1:0", { persistence: { timeoutMs: 60_000, prefixLength: 32 } }),
      0,
    );
    assert.equal(target(director, from(director, tcp("192.0.2.1:1"), SYN, 0)), "10.2.0.1:80");
    assert.equal(
      target(director, from(director, tcp("192.0.2.1:1", "10.99.0.1:443"), SYN, 0)),
      "10.2.0.1:443",
    );
    const exact = director.addService(tcpService("10.99.0.1:443"), 0);
    assert.equal(from(director, tcp("192.0.2.1:2", "10.99.0.1:443"), SYN, 0).service, exact);
  },

  "FTP's service takes unprivileged ports, and answers those it cannot place with the host's own stack": (
    make,
  ) => {
    const director = make();
    const ftp = director.addService(tcpService("10.99.0.1:21"), 0);
    director.addDestination(ftp, destination("10.2.0.1:21"), 0);
    const data = from(director, tcp("192.0.2.1:1", "10.99.0.1:50000"), SYN, 0);
    assert.deepEqual([data.service, data.action], [ftp, ACTION.accept]);
    assert.equal(from(director, tcp("192.0.2.1:1", "10.99.0.1:80"), SYN, 0).reason, DROP_REASON.noService);
  },

  "a listener's service needs no search, and its own port is the service's": (make) => {
    const director = make();
    const service = director.addService(tcpService("[::]:0"), 0);
    director.addDestination(service, destination("10.2.0.1:8080", { allowMixedFamilies: true }), 0);
    const flow = tcp("192.0.2.1:1", "127.0.0.1:45678");
    flow.service = service;
    assert.equal(target(director, from(director, flow, SYN, 0)), "10.2.0.1:8080");
    director.deleteService(service, 0);
    const late = tcp("192.0.2.1:2", "127.0.0.1:45678");
    late.service = service;
    assert.equal(from(director, late, SYN, 0).reason, DROP_REASON.noService);
  },

  "the same scheduler keeps its cursor over an edit, another one starts anew": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    for (const host of ["1", "2", "3"]) director.addDestination(service, destination(`10.2.0.${host}:80`), 0);
    let client = 0;
    const next = () => target(director, from(director, tcp(`192.0.2.1:${++client}`), SYN, 0));
    assert.deepEqual([next(), next()], ["10.2.0.3:80", "10.2.0.2:80"]);
    director.editService(service, tcpService("10.99.0.1:80", { flags: 8 }), 0);
    assert.equal(next(), "10.2.0.1:80");
    director.editService(service, tcpService("10.99.0.1:80", { scheduler: "head" }), 0);
    assert.deepEqual([next(), next()], ["10.2.0.3:80", "10.2.0.3:80"]);
    director.editService(service, tcpService(), 0);
    assert.deepEqual([next(), next()], ["10.2.0.3:80", "10.2.0.2:80"]);
  },

  "scheduler none accepts nothing new and keeps what lives": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    director.addDestination(service, destination("10.2.0.1:80"), 0);
    const old = tcp("192.0.2.1:1");
    open(director, old, 0);
    director.editService(service, tcpService("10.99.0.1:80", { scheduler: "none" }), 0);
    assert.equal(from(director, tcp("192.0.2.1:2"), SYN, 0).action, ACTION.reject);
    assert.equal(target(director, from(director, old, 0x10, 0)), "10.2.0.1:80");
  },

  "schedulers' cells are handed on when services go and switch": (make) => {
    const director = make();
    for (let round = 0; round < 2_000; round++) {
      const service = director.addService(tcpService(), 0);
      director.editService(service, tcpService("10.99.0.1:80", { scheduler: "head" }), 0);
      director.editService(service, tcpService(), 0);
      director.deleteService(service, 0);
    }
    director.addService(tcpService(), 0);
  },

  "IPv6 addresses and marks are keys of their own": (make) => {
    const director = make();
    const six = director.addService(tcpService("[fd00::1]:80"), 0);
    director.addDestination(six, destination("[fd02::1]:80"), 0);
    const flow = tcp("[2001:db8::7]:1", "[fd00::1]:80");
    assert.equal(target(director, from(director, flow, SYN, 0)), "fd02::1:80");
    assert.equal(director.findService({ protocol: 6, ...at("[fd00::2]:80") }), undefined);
    const mark6 = director.addService({ key: { mark: 7, family: 6 }, scheduler: "rr" }, 0);
    assert.equal(director.findService({ mark: 7, family: 4 }), undefined);
    assert.equal(director.findService({ mark: 7, family: 6 }), mark6);
    const again = tcp("[2001:db8::7]:1", "[fd00::1]:80");
    assert.equal(
      from(director, again, 0x10, 0).destination,
      flow.entry > 0 ? director.findDestination(six, at("[fd02::1]:80")) : -1,
    );
    assert.equal(from(director, tcp("[2001:db8::8]:1", "[fd00::1]:80"), 0x10, 0).reason, DROP_REASON.notNew);
  },

  "bad keys and persistence are refused": (make) => {
    const director = make();
    assert.throws(() => director.addService({ key: { mark: 0, family: 4 }, scheduler: "rr" }, 0), {
      code: "EINVAL",
    });
    for (const persistence of [{ timeoutMs: 0, prefixLength: 32 }, { timeoutMs: 1_000, prefixLength: 33 }]) {
      assert.throws(() => director.addService(tcpService("10.99.0.1:80", { persistence }), 0), {
        code: "EINVAL",
      });
    }
    const persistence = { timeoutMs: 1_000, prefixLength: 0 };
    assert.throws(() => director.addService(tcpService("[fd00::1]:80", { persistence }), 0), {
      code: "EINVAL",
    });
    const service = director.addService(tcpService(), 0);
    assert.throws(() => director.editService(service, tcpService("10.99.0.1:81"), 0), { code: "EINVAL" });
  },

  "every change raises the generation, a refused one does not": (make) => {
    const director = make();
    const before = director.generation;
    const service = director.addService(tcpService(), 0);
    director.setTimeouts({ udpMs: 1_000 });
    director.sysctl.sloppy_tcp = 1;
    assert.equal(director.generation, before + 3);
    assert.throws(() => director.addService(tcpService(), 0));
    assert.equal(director.generation, before + 3);
    director.deleteService(service, 0);
    assert.equal(director.generation, before + 4);
  },
};
