/** Destinations: identity, order, weights, and the rules for them. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import type { DestinationSpec } from "../../../director/specs.ts";
import { Store } from "../../../director/store.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
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

const ports = (director: Director, service: number) =>
  director.destinationViews(service).map((view) => view.port);

function withThree(director: Director): { service: number; handles: number[] } {
  const service = director.addService(tcpService(), 0);
  const handles = [1, 2, 3].map((port) =>
    director.addDestination(service, destination(`10.2.0.1:${port}`), 0)
  );
  return { service, handles };
}

export const destinationCases: Cases = {
  "the one added last comes first; an edit moves nobody": (make) => {
    const director = make();
    const { service, handles } = withThree(director);
    assert.deepEqual(ports(director, service), [3, 2, 1]);
    director.editDestination(handles[0] ?? 0, destination("10.2.0.1:1", { weight: 9 }), 0);
    assert.deepEqual(ports(director, service), [3, 2, 1]);
  },

  "deleted and added again it comes first": (make) => {
    const director = make();
    const { service, handles } = withThree(director);
    director.deleteDestination(handles[0] ?? 0, 0);
    director.deleteDestination(handles[2] ?? 0, 0);
    director.addDestination(service, destination("10.2.0.1:1"), 0);
    assert.deepEqual(ports(director, service), [1, 2]);
  },

  "an order can be given, and is refused unless it names each once": (make) => {
    const director = make();
    const { service, handles } = withThree(director);
    const [a = 0, b = 0, c = 0] = handles;
    director.orderDestinations(service, [b, c, a], 0);
    assert.deepEqual(ports(director, service), [2, 3, 1]);
    for (const wrong of [[a, b], [a, a, b], [a, b, c, c], [a, b, 999]]) {
      assert.throws(() => director.orderDestinations(service, wrong, 0), { code: "EINVAL" });
    }
    const picks = [1, 2, 3].map((port) => target(director, from(director, tcp(`192.0.2.1:${port}`), SYN, 0)));
    assert.deepEqual(picks, ["10.2.0.1:2", "10.2.0.1:3", "10.2.0.1:1"]);
    director.deleteDestination(c, 0);
    assert.deepEqual(ports(director, service), [2, 1]);
  },

  "an order given is the one that hashing schedulers deal by, as after a fresh start": (make) => {
    for (const scheduler of ["dh", "sh", "mh"]) {
      const ask = (
        order: (director: Director, service: number, handles: number[]) => void,
        hosts: number[],
      ) => {
        const director = make({
          findScheduler,
          store: Store.create({ capacities: { services: 1, destinations: 8, schedulerCells: 8_192 } }),
        });
        const service = director.addService({ key: { mark: 1, family: 4 }, scheduler }, 0);
        const handles = hosts.map((host) =>
          director.addDestination(service, destination(`10.2.0.${host}:0`, { weight: host }), 0)
        );
        order(director, service, handles);
        return Array.from({ length: 40 }, (_, i) => {
          const flow = tcp(`192.0.2.${i}:1`, `198.51.100.${i}:80`);
          flow.mark = 1;
          return target(director, from(director, flow, SYN, 0));
        });
      };
      const reordered = ask((director, service, handles) => {
        director.orderDestinations(service, handles, 0);
      }, [1, 2, 3]);
      assert.deepEqual(reordered, ask(() => {}, [3, 2, 1]), scheduler);
    }
  },

  "the weight in force is one thing, the configured one another": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    const handle = director.addDestination(
      service,
      destination("10.2.0.1:80", { weight: 5, effectiveWeight: 0 }),
      0,
    );
    const weights = () => {
      const { weight, configuredWeight, lastWeight } = director.destinationView(handle);
      return [weight, configuredWeight, lastWeight];
    };
    assert.deepEqual(weights(), [0, 5, 0]);
    director.setWeight(handle, 3, 0);
    assert.deepEqual(weights(), [3, 5, 3]);
    director.setWeight(handle, 0, 0);
    assert.deepEqual(weights(), [0, 5, 3]);
    director.editDestination(handle, destination("10.2.0.1:80", { weight: 7 }), 0);
    assert.deepEqual(weights(), [7, 7, 7]);
  },

  "added again with weight 0 its last weight is 0 too, whatever it was before": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    const handle = director.addDestination(service, destination("10.2.0.1:80", { weight: 5 }), 0);
    director.setWeight(handle, 0, 0);
    assert.equal(director.destinationView(handle).lastWeight, 5);
    director.deleteDestination(handle, 0);
    assert.equal(director.addDestination(service, destination("10.2.0.1:80", { weight: 0 }), 0), handle);
    assert.equal(director.destinationView(handle).lastWeight, 0);
  },

  "weight 0 gets nothing new and keeps what it has": (make) => {
    const director = make();
    const { handles } = withThree(director);
    const flow = tcp("192.0.2.1:1");
    assert.equal(target(director, open(director, flow, 0)), "10.2.0.1:3");
    director.setWeight(handles[2] ?? 0, 0, 0);
    for (let port = 2; port < 10; port++) {
      assert.notEqual(from(director, tcp(`192.0.2.1:${port}`), SYN, 0).destination, handles[2]);
    }
    assert.equal(from(director, flow, 0x10, 0).destination, handles[2]);
  },

  "a destination exists once in its service, and again in another": (make) => {
    const director = make();
    const { service } = withThree(director);
    assert.throws(() => director.addDestination(service, destination("10.2.0.1:1"), 0), { code: "EEXIST" });
    const other = director.addService(tcpService("10.99.0.1:81"), 0);
    const handle = director.addDestination(other, destination("10.2.0.1:1"), 0);
    assert.equal(director.findDestination(other, at("10.2.0.1:1")), handle);
    assert.equal(director.findDestination(other, at("10.2.0.1:2")), undefined);
  },

  "what the kernel refuses": (make) => {
    const director = make();
    const { service, handles } = withThree(director);
    const refused: [string, Partial<DestinationSpec>, string][] = [
      ["10.2.0.9:80", { weight: -1 }, "ERANGE"],
      ["10.2.0.9:80", { weight: 2 ** 31 }, "ERANGE"],
      ["10.2.0.9:80", { upperThreshold: 4, lowerThreshold: 5 }, "ERANGE"],
      ["10.2.0.9:80", { lowerThreshold: 1 }, "ERANGE"],
      ["10.2.0.9:80", { upperThreshold: 2 ** 31 }, "EINVAL"],
      ["0.0.0.0:80", {}, "EINVAL"],
      ["224.0.0.1:80", {}, "EINVAL"],
      ["255.255.255.255:80", {}, "EINVAL"],
      ["[fe80::1]:80", { method: "tun" }, "EINVAL"],
      ["[ff02::1]:80", { method: "tun" }, "EINVAL"],
      ["[fd02::1]:80", { method: "nat" }, "EINVAL"],
      ["[fd02::1]:80", { method: "dr" }, "EINVAL"],
      ["10.2.0.9:80", { method: "tun", tunnel: { type: "gue", port: 0, checksum: "nocsum" } }, "EINVAL"],
    ];
    for (const [endpoint, more, code] of refused) {
      const add = () => director.addDestination(service, destination(endpoint, more), 0);
      assert.throws(add, { code }, `${endpoint} ${JSON.stringify(more)}`);
    }
    assert.equal(director.destinationViews(service).length, 3);
    director.addDestination(service, destination("[fd02::1]:80", { method: "tun" }), 0);
    director.addDestination(service, destination("127.0.0.1:80"), 0);
    assert.throws(() => director.editDestination(handles[0] ?? 0, destination("10.2.0.1:9"), 0), {
      code: "EINVAL",
    });
    assert.throws(() => director.setWeight(handles[0] ?? 0, -1, 0), { code: "ERANGE" });
  },

  "handles of deleted ones and of nobody are refused": (make) => {
    const director = make();
    const { handles } = withThree(director);
    const gone = handles[0] ?? 0;
    director.deleteDestination(gone, 0);
    for (const handle of [gone, 0, -1, 12_345]) {
      assert.throws(() => director.deleteDestination(handle, 0), { code: "ENOENT" });
      assert.throws(() => director.setWeight(handle, 1, 0), { code: "ENOENT" });
    }
    assert.throws(() => director.addDestination(99, destination("10.2.0.1:80"), 0), { code: "ESRCH" });
  },

  "an edit of the method is for connections to come": (make) => {
    const director = make();
    const service = director.addService(tcpService(), 0);
    const handle = director.addDestination(service, destination("10.2.0.1:80"), 0);
    open(director, tcp("192.0.2.1:1"), 0);
    director.editDestination(handle, destination("10.2.0.1:80", { method: "dr" }), 0);
    assert.equal(director.destinationView(handle).method, "dr");
    from(director, tcp("192.0.2.1:2"), SYN, 0);
    const flags = [...director.connections()].map((entry) => entry.flags & 0x87);
    assert.deepEqual(flags, [0, 0x83]);
  },
};
