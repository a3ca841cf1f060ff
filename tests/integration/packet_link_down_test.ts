/** An interface that goes down under the packet engine: its loop goes on waiting, and hears frames again afterwards. */
import assert from "node:assert/strict";
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import { PacketEngine } from "../../engines/packet/packet_engine.ts";
import { WireLoop } from "../../engines/packet/wire_loop.ts";
import { LIMITS } from "../../limits.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import { must } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";
import { FrameSender } from "../../sys/frame_sender.ts";
import { PacketLibrary } from "../../sys/packet_library.ts";
import { PacketSocket } from "../../sys/packet_socket.ts";
import { endpointOf } from "../conformance/engines/heard_events.ts";
import { PLAIN } from "../conformance/engines/tcp_setting.ts";
import { eventually } from "./eventually.ts";

const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";
/** Each comes after `LIMITS.packetPollMs`. */
const TURNS = 5;

/** Two interfaces, each at the other's end. */
async function addPair(name: string, peer: string): Promise<void> {
  await must(["ip", "link", "add", name, "type", "veth", "peer", "name", peer]);
  for (const it of [name, peer]) await must(["ip", "link", "set", it, "up"]);
}

/** Waits of a loop in so many turns. */
function waitsOf(library: PacketLibrary, socket: PacketSocket, sender: FrameSender): number {
  let waits = 0;
  let turns = 0;
  const store = Store.create({ capacities: { services: 1, destinations: 1, schedulerCells: 64 } });
  const loop = new WireLoop({
    library: {
      pointerOf: (bytes) => library.pointerOf(bytes),
      poll: (descriptors, count, timeoutMs) => {
        waits++;
        return library.poll(descriptors, count, timeoutMs);
      },
    },
    sockets: [socket],
    sender,
    director: new Director({ store, random: new SeededRandom(1), findScheduler }),
    nowMs: () => performance.now(),
  });
  loop.run(() => ++turns < TURNS);
  return waits;
}

Deno.test({
  name: `packet: an interface that goes down does not keep the loop from waiting${
    reason === undefined || isPromised ? "" : ` (skipped: ${reason})`
  }`,
  ignore: reason !== undefined && !isPromised,
  async fn() {
    assert.equal(reason, undefined);
    // Names of interfaces have 15 characters at most.
    const [name, peer] = [`lvd${Deno.pid}`, `lvp${Deno.pid}`];
    await addPair(name, peer);
    try {
      using library = PacketLibrary.open();
      const sender = new FrameSender(library);
      const { packetRingBytes: ringBytes, packetQueueBytes: queueBytes } = LIMITS;
      using socket = PacketSocket.open(library, sender, name, { ringBytes, queueBytes });
      for (const state of ["down", "up", "down"]) {
        await must(["ip", "link", "set", name, state]);
        const waits = waitsOf(library, socket, sender);
        // A link that comes up says something of itself; one that is not waited for is asked thousands of times.
        assert.ok(waits < 20 * TURNS, `${waits} waits in ${TURNS} turns, link ${state}`);
      }
    } finally {
      await must(["ip", "link", "del", name]);
    }
  },
});

Deno.test({
  name: `packet: an interface that is made anew under its name is heard again${
    reason === undefined || isPromised ? "" : ` (skipped: ${reason})`
  }`,
  ignore: reason !== undefined && !isPromised,
  async fn() {
    assert.equal(reason, undefined);
    const [name, peer] = [`lvd${Deno.pid}`, `lvp${Deno.pid}`];
    await addPair(name, peer);
    const troubles: string[] = [];
    const engine = new PacketEngine({
      store: Store.create({
        shared: true,
        capacities: { services: 8, destinations: 16, schedulerCells: 1_024, workers: 2 },
      }),
      workerIndex: 1,
      random: new SeededRandom(1),
      wiring: { interfaces: [{ name, addresses: ["192.0.2.1/24"] }], routes: [], virtualAddresses: [] },
      isRealtime: false,
      activeConns: () => 0,
      attachConnections: () => {},
      recover: () => 0,
      trouble: (_, message) => troubles.push(message),
    });
    try {
      const { listen, ...rest } = {
        service: 7,
        name: "web",
        protocol: "tcp",
        listen: "192.0.2.100:80",
      } as const;
      await engine.open({ ...rest, listen: endpointOf(listen), options: PLAIN });
      await must(["ip", "link", "del", name]);
      await addPair(name, peer);
      const framesBefore = (await engine.counts())?.frames ?? 0;
      await eventually("it hears frames of the new interface", async () => {
        // Somebody comes up on the other side, and says so.
        for (const state of ["down", "up"]) await must(["ip", "link", "set", peer, state]);
        return ((await engine.counts())?.frames ?? 0) > framesBefore;
      });
      const [, { index = 0 } = {}] = Object.entries((await engine.surroundings())?.interfaces ?? {})[0] ?? [];
      assert.equal(index, Number(await Deno.readTextFile(`/sys/class/net/${name}/ifindex`)));
      assert.deepEqual(troubles, []);
    } finally {
      await engine.stop();
      await must(["ip", "link", "del", name]);
    }
  },
});
