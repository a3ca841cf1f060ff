/** An interface that goes down under the packet engine: its loop goes on waiting, and hears frames again afterwards. */
import assert from "node:assert/strict";
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import { WireLoop } from "../../engines/packet/wire_loop.ts";
import { LIMITS } from "../../limits.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import { must } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";
import { FrameSender } from "../../sys/frame_sender.ts";
import { PacketLibrary } from "../../sys/packet_library.ts";
import { PacketSocket } from "../../sys/packet_socket.ts";

const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";
/** Each comes after `LIMITS.packetPollMs`. */
const TURNS = 5;

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
    await must(["ip", "link", "add", name, "type", "veth", "peer", "name", peer]);
    try {
      for (const it of [name, peer]) await must(["ip", "link", "set", it, "up"]);
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
