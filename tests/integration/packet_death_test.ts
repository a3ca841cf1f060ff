/** A packet worker that dies is noticed and started again, and nobody waits for ever for what it was told. */
import assert from "node:assert/strict";
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import { PacketEngine } from "../../engines/packet/packet_engine.ts";
import { IpAddress } from "../../net/address.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";

const isPromised = Deno.env.get("CI") === "true";
const cannotRun = Deno.build.os !== "linux" || Deno.uid() !== 0;
const CAPACITIES = { services: 8, destinations: 16, schedulerCells: 1_024, workers: 2 };

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
      const opened = await engine.open({
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
      });
      assert.notEqual(await engine.counts(), undefined);
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
      const { wiring } = await engine.surroundings() ?? {};
      assert.deepEqual(wiring?.virtualAddresses, ["192.0.2.100"]);
      await opened.close();
    } finally {
      await engine.stop();
    }
  },
});
