/** Two workers decide as one: a scheduler's turn is everybody's, and what is counted is counted once. */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import type { Engine } from "../../../engines/engine.ts";
import { NativeEngine } from "../../../engines/native/native.ts";
import { LIMITS } from "../../../limits.ts";
import { Prefix } from "../../../net/prefix.ts";
import { nativeMember } from "../../conformance/engines/tcp_native_engine.ts";
import { member } from "../../conformance/engines/tcp_native_pair_engine.ts";
import { openSetting } from "../../conformance/engines/tcp_setting.ts";

const ignore = Deno.build.os !== "linux";
const CONNECTIONS = 600;
const AT_ONCE = 20;

Deno.test({
  name: "native: rr over two workers is even to one connection, and counters are exact",
  ignore,
  fn: async () => {
    await using setting = await openSetting(member);
    const servers = [await setting.addServer(), await setting.addServer(), await setting.addServer()];
    for (const { server } of servers) server.greeting = "hello";
    let begun = 0;
    const oneAfterAnother = async () => {
      while (begun++ < CONNECTIONS) {
        const client = await setting.connect();
        await client.received(5);
        client.end("question");
        client.reset();
        await client.closed;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, oneAfterAnother));
    await setting.engine.whenIdle();
    const accepted = servers.map(({ server }) => server.acceptedCount);
    assert.deepEqual(accepted, [CONNECTIONS / 3, CONNECTIONS / 3, CONNECTIONS / 3]);
    const { connections, outBytes } = setting.director.serviceView(setting.service).statistics;
    assert.deepEqual([connections, outBytes], [CONNECTIONS, CONNECTIONS * 5]);
    assert.equal(setting.events.endings.length, CONNECTIONS);
  },
});

Deno.test({
  name: "native: when a change has been passed, no worker decides by what was before",
  ignore,
  fn: async () => {
    await using setting = await openSetting(member);
    const old = await setting.addServer();
    const fresh = await setting.addServer();
    const { engine, director, clock } = setting;
    assert.ok(engine instanceof NativeEngine);
    for (let i = 0; i < 20; i++) {
      const [off, on] = i % 2 === 0 ? [old, fresh] : [fresh, old];
      director.setWeight(off.destination, 0, clock.nowMs());
      director.setWeight(on.destination, 1, clock.nowMs());
      await engine.passed();
      const before = off.server.acceptedCount;
      await Promise.all(Array.from({ length: 4 }, () => setting.pair(on.server)));
      assert.equal(off.server.acceptedCount, before);
    }
  },
});

for (const workers of [2, 3]) {
  Deno.test({
    name: `native: clients that come one by one are spread evenly over ${workers} workers`,
    ignore,
    fn: async () => {
      await using setting = await openSetting(nativeMember(workers, import.meta.url));
      const { engine } = setting;
      assert.ok(engine instanceof NativeEngine);
      const { server } = await setting.addServer();
      const each = 20;
      for (let i = 0; i < workers * each; i++) await setting.pair(server);
      await engine.passed();
      const connections = engine.workerLoads.map((it) => it.connections);
      assert.equal(connections.reduce((sum, it) => sum + it, 0), workers * each);
      // A worker that sleeps is woken by its turn; one that is still awake or late, on a busy machine, misses one or two.
      assert.ok(Math.max(...connections) - Math.min(...connections) <= each / 2, `${connections}`);
    },
  });
}

Deno.test({
  name:
    "native: a destination that leaves while it is asked about loses no connection that waits for the answer",
  ignore,
  fn: async () => {
    const engines: Engine[] = [];
    const leave = (destination: number) => engines[0]?.destinationRemoved(destination, false);
    let leaving = 0;
    await using setting = await openSetting(nativeMember(1, import.meta.url), {
      options: { connectTimeoutMs: 60_000 },
      isOwnListener: () => {
        leave(leaving);
        return false;
      },
    });
    engines.push(setting.engine);
    const { server, destination } = await setting.addServer();
    leaving = destination;
    const { client, served } = await setting.pair(server);
    client.send("hello");
    await served.received(5);
  },
});

Deno.test({
  name: "native: a worker has no more connections than entries, and the deadlines of all of them hold",
  ignore,
  fn: async () => {
    const entries = 4;
    const clock = new ManualClock();
    await using setting = await openSetting(nativeMember(1, import.meta.url, entries), {
      clock,
      options: { acceptProxyFrom: [Prefix.parse("127.0.0.0/8")] },
    });
    const silent = [];
    for (let i = 0; i < entries; i++) silent.push(await setting.connect());
    const more = [await setting.connect(), await setting.connect()];
    for (const it of more) assert.equal(await it.ended, "reset");
    await setting.events.until("the drops", () => setting.events.drops.length === more.length);
    assert.deepEqual(new Set(setting.events.drops), new Set(["no-room"]));
    assert.equal(setting.engine.liveConnections(), entries);
    clock.advance(LIMITS.proxyHeaderWaitMs);
    for (const it of silent) assert.equal(await it.ended, "reset");
  },
});

Deno.test({
  name: "native: a worker tells how long its turns took, the longest included",
  ignore,
  fn: async () => {
    await using setting = await openSetting(member);
    const { engine } = setting;
    assert.ok(engine instanceof NativeEngine);
    const { server } = await setting.addServer();
    await Promise.all(Array.from({ length: 20 }, () => setting.pair(server)));
    await engine.passed();
    const times = engine.workerLoads;
    assert.ok(times.length > 0);
    for (const { worker, turns, busySeconds, longestTurnSeconds } of times) {
      assert.ok(worker >= 1 && worker <= 2 && turns >= 1);
      assert.ok(longestTurnSeconds > 0 && longestTurnSeconds <= busySeconds);
    }
  },
});
