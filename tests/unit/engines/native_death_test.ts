/** A worker that dies: its connections are gone and counted, the others go on, and there is a new one. */
import assert from "node:assert/strict";
import { CALL, FlightRing } from "../../../director/flight_ring.ts";
import { NativeEngine } from "../../../engines/native/native.ts";
import { TCP_FLAG } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { member as one } from "../../conformance/engines/tcp_native_engine.ts";
import { member as two } from "../../conformance/engines/tcp_native_pair_engine.ts";
import { openSetting, type TcpFamilyMember, type TcpSetting } from "../../conformance/engines/tcp_setting.ts";
import { eventually } from "../../conformance/engines/waits.ts";

const ignore = Deno.build.os !== "linux";

function kill({ engine }: TcpSetting, worker: number): void {
  assert.ok(engine instanceof NativeEngine);
  engine.fail(worker);
}

async function openDescriptors(): Promise<number> {
  return (await Array.fromAsync(Deno.readDir("/proc/self/fd"))).length;
}

async function withSetting(
  member: TcpFamilyMember,
  run: (setting: TcpSetting) => Promise<void>,
): Promise<void> {
  await using setting = await openSetting(member);
  await run(setting);
}

Deno.test({
  name: "native: the only worker dies: its connections are reset and counted, a new one serves",
  ignore,
  fn: () =>
    withSetting(one, async (setting) => {
      const { server, destination } = await setting.addServer();
      const pairs = [await setting.pair(server), await setting.pair(server), await setting.pair(server)];
      const descriptors = await openDescriptors();
      kill(setting, 1);
      for (const { client, served } of pairs) {
        assert.deepEqual([await client.ended, await served.ended], ["reset", "reset"]);
      }
      await setting.events.until("the loss is told", () => setting.events.troubles.length > 0);
      assert.match(setting.events.troubles[0] ?? "", /worker 1 died \(told to fail\), 3 of its connections/);
      assert.deepEqual(setting.events.drops, ["worker-died", "worker-died", "worker-died"]);
      assert.equal(setting.engine.liveConnections(), 0);
      const { activeConns, inactiveConns } = setting.director.destinationView(destination);
      assert.deepEqual([activeConns, inactiveConns], [0, 0]);
      // Its sockets are closed, six of ours and six of the peers.
      assert.ok(await openDescriptors() <= descriptors - 6);
      const { client, served } = await setting.pair(server);
      client.send("again");
      await served.received(5);
      assert.equal(setting.engine.liveConnections(), 1);
    }),
});

Deno.test({
  name: "native: one of two workers dies: the other's connections go on",
  ignore,
  fn: () =>
    withSetting(two, async (setting) => {
      const { server } = await setting.addServer();
      const pairs = [];
      for (let i = 0; i < 16; i++) pairs.push(await setting.pair(server));
      kill(setting, 2);
      await setting.events.until("the loss is told", () => setting.events.troubles.length > 0);
      const lost = setting.events.drops.length;
      assert.equal(setting.engine.liveConnections(), 16 - lost);
      let living = 0;
      for (const { client, served } of pairs) {
        client.send("there?");
        const isThere = await Promise.race([
          served.received(6).then(() => true, () => false),
          served.closed.then(() => false),
        ]);
        if (isThere) living++;
      }
      assert.equal(living, 16 - lost);
    }),
});

Deno.test({
  name:
    "native: one of two workers dies: a client that the other holds takes the place of what ran in the dead one",
  ignore,
  fn: async () => {
    await using setting = await openSetting(two, { options: { maxConnections: 1 } });
    const { engine } = setting;
    assert.ok(engine instanceof NativeEngine);
    const { server } = await setting.addServer();
    await setting.pair(server);
    await engine.passed();
    const running = engine.workerLoads.find((it) => it.connections > 0)?.worker ?? 0;
    const isHeldElsewhere = () =>
      engine.workerLoads.some((it) => it.worker !== running && it.connections > 0);
    for (let i = 0; i < 16 && !isHeldElsewhere(); i++) {
      await setting.connect();
      await eventually("it is held", () => engine.liveConnections() === i + 2);
    }
    assert.ok(isHeldElsewhere());
    kill(setting, running);
    await server.next();
  },
});

Deno.test({
  name: "native: what a worker recorded in the turn in which it died can be read",
  ignore,
  fn: async () => {
    const ring = FlightRing.create({ shared: true, rows: 4_096 });
    const recorded: TcpFamilyMember = {
      ...one,
      makeEngine: (parts) =>
        new NativeEngine({
          ...parts,
          random: new SeededRandom(1),
          workers: 1,
          connectionEntries: 64,
          flights: [ring.buffer],
        }),
    };
    await withSetting(recorded, async (setting) => {
      const { engine, clock } = setting;
      assert.ok(engine instanceof NativeEngine);
      const { server, destination } = await setting.addServer();
      const { client } = await setting.pair(server);
      // While it is busy with the first of these, the others come: all are obeyed in one turn.
      const obeyed = engine.advance(Array(1_000).fill(clock.nowMs()));
      engine.destinationRemoved(destination, true);
      kill(setting, 1);
      await obeyed;
      assert.equal(await client.ended, "reset");
      await setting.events.until("the loss is told", () => setting.events.troubles.length > 0);
      assert.deepEqual(setting.events.endings.map((it) => it.reason), ["destination-removed"]);
      const last = ring.rows().findLast((it) => it.call === CALL.segment);
      assert.equal(last?.flags, TCP_FLAG.rst);
    });
  },
});
