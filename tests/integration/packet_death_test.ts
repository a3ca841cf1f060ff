/** A packet worker that dies is noticed and started again, and nobody waits for ever for what it was told. */
import assert from "node:assert/strict";
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import type { Binding } from "../../engines/engine.ts";
import { PacketEngine } from "../../engines/packet/packet_engine.ts";
import { IpAddress } from "../../net/address.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";

const isPromised = Deno.env.get("CI") === "true";
const cannotRun = Deno.build.os !== "linux" || Deno.uid() !== 0;
const CAPACITIES = { services: 8, destinations: 16, schedulerCells: 1_024, workers: 2 };

const WEB: Binding = {
  service: 7,
  name: "web",
  protocol: "tcp",
  listen: { address: IpAddress.parse("192.0.2.100"), port: 80 },
  options: {
    connectTimeoutMs: 0,
    retries: 0,
    sendProxy: "none",
    acceptProxyFrom: [],
    onePacket: false,
    maxSessions: 0,
  },
};

/** Sockets and programs of the kernel that this process has; the runtime's own threads have other things. */
function openInKernel(): number {
  const kinds = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The folder itself.
      return "";
    }
  });
  return kinds.filter((it) => it.startsWith("socket:") || it.includes("bpf")).length;
}

Deno.test({
  name: `packet: a worker that dies is started again, and forwards for the same addresses${
    cannotRun && !isPromised ? " (skipped: packet sockets are root's)" : ""
  }`,
  ignore: cannotRun && !isPromised,
  fn: async () => {
    const store = Store.create({ shared: true, capacities: CAPACITIES });
    const random = new SeededRandom(1);
    const director = new Director({ store, random, findScheduler });
    const died = Promise.withResolvers<{ service: number; message: string }>();
    const tables: ArrayBufferLike[] = [];
    const recovered: ArrayBufferLike[] = [];
    let again = Promise.withResolvers<void>();
    const engine = new PacketEngine({
      store,
      workerIndex: 1,
      random,
      wiring: {
        interfaces: [{ name: "lo", addresses: ["192.0.2.1/24"] }],
        routes: [],
        virtualAddresses: [],
      },
      isRealtime: false,
      activeConns: () => 0,
      attachConnections: (memory) => {
        tables.push(memory);
        again.resolve();
      },
      recover: (memory) => {
        recovered.push(memory);
        return director.recoverWorker(1, memory).connections;
      },
      trouble: (service, message) => died.resolve({ service, message }),
    });
    try {
      const opened = await engine.open(WEB);
      assert.notEqual(await engine.counts(), undefined);
      const open = openInKernel();
      again = Promise.withResolvers();
      engine.fail();
      // In its mailbox behind the order to die: it is answered all the same.
      assert.equal(await engine.counts(), undefined);
      const { service, message } = await died.promise;
      assert.equal(service, 7);
      assert.match(
        message,
        /^the packet engine's worker died \(asked to die\); connections of all services that are forgotten: 0; it is started again$/,
      );
      await again.promise;
      assert.deepEqual([tables.length, recovered], [2, tables.slice(0, 1)]);
      assert.notEqual(await engine.counts(), undefined);
      assert.equal(
        openInKernel(),
        open,
        "the dead one's sockets, each with 8 MiB of the kernel's, are closed",
      );
      const { wiring } = await engine.surroundings() ?? {};
      assert.deepEqual(wiring?.virtualAddresses, ["192.0.2.100"]);
      await opened.close();
    } finally {
      await engine.stop();
    }
  },
});

Deno.test({
  name: `packet: a worker that cannot start leaves nothing open${
    cannotRun && !isPromised ? " (skipped: packet sockets are root's)" : ""
  }`,
  ignore: cannotRun && !isPromised,
  fn: async () => {
    const engine = new PacketEngine({
      store: Store.create({ shared: true, capacities: CAPACITIES }),
      workerIndex: 1,
      random: new SeededRandom(1),
      wiring: {
        interfaces: [{ name: "lo", addresses: ["192.0.2.1/24"] }, { name: "gone0", addresses: [] }],
        routes: [],
        virtualAddresses: [],
      },
      isRealtime: false,
      activeConns: () => 0,
      attachConnections: () => {},
      recover: () => 0,
      trouble: () => {},
    });
    await assert.rejects(engine.open(WEB), /gone0/);
    const open = openInKernel();
    await assert.rejects(engine.open(WEB), /gone0/);
    assert.equal(openInKernel(), open);
    await engine.stop();
  },
});
