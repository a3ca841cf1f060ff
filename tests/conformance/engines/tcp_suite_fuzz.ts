/** Peers that do whatever they like, at any time. The engine stays up and leaves nothing behind. */
import assert from "node:assert/strict";
import { type Random, SeededRandom } from "../../../net/random.ts";
import type { Peer } from "./tcp_peers.ts";
import {
  IS_PROOF,
  openSetting,
  PLAIN,
  seeded,
  type TcpFamilyMember,
  type TcpSetting,
  testOf,
} from "./tcp_setting.ts";

const CONNECTIONS = IS_PROOF ? 5_000 : 300;
const AT_ONCE = 40;

type Act = (peer: Peer, random: Random) => void;

/** What a peer may do next; an act on a closed socket does nothing. */
const ACTS: readonly Act[] = [
  (peer, random) => peer.send("x".repeat(random.below(200))),
  (peer, random) => peer.send("x".repeat(random.below(300_000))),
  (peer) => peer.end(),
  (peer, random) => peer.end("y".repeat(random.below(100_000))),
  (peer) => peer.reset(),
  (peer) => peer.destroy(),
  (peer) => peer.socket.pause(),
  (peer) => peer.socket.resume(),
  () => {},
];

async function misbehave(peer: Peer, random: Random): Promise<void> {
  for (let acts = random.below(8); acts > 0; acts--) {
    if (peer.socket.writable && !peer.socket.destroyed) ACTS[random.below(ACTS.length)]?.(peer, random);
    if (random.below(2) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(4)));
  }
  if (random.below(2) === 0) peer.reset();
  else peer.destroy();
}

/** What an operator may do meanwhile. */
function interfere(setting: TcpSetting, destinations: readonly number[], random: Random): void {
  const retries = random.below(3);
  const actions: readonly (() => void)[] = [
    () => setting.open.update({ ...PLAIN, retries, connectTimeoutMs: 1 + random.below(50) }),
    () => setting.open.update({ ...PLAIN, retries, maxConnections: 5 + random.below(30) }),
    () => setting.open.update({ ...PLAIN, retries, sendProxy: random.below(2) === 0 ? "v1" : "v2" }),
    () => setting.engine.destinationRemoved(destinations[random.below(destinations.length)] ?? -1, true),
    () => void setting.engine.resetAll(random.below(20), "drained"),
    () => setting.director.setWeight(destinations[0] ?? -1, random.below(2), setting.clock.nowMs()),
  ];
  actions[random.below(actions.length)]?.();
}

export function fuzzTests(member: TcpFamilyMember): void {
  seeded(testOf(member), `${CONNECTIONS} connections of peers that do as they like`, async (seed) => {
    const random = new SeededRandom(seed);
    await using setting = await openSetting(member, { options: { retries: 1 } });
    const servers = [await setting.addServer(), await setting.addServer()];
    const destinations = servers.map((it) => it.destination);
    // Nobody listens there: port 1 is for root, and tcpmux is long dead.
    destinations.push(setting.addDestination("127.0.0.1", 1));
    const misbehaving: Promise<void>[] = [];
    for (const { server } of servers) {
      server.onPeer = (peer) => misbehaving.push(misbehave(peer, new SeededRandom(random.below(2 ** 32))));
    }
    let begun = 0;
    const oneAfterAnother = async () => {
      while (begun < CONNECTIONS) {
        begun++;
        if (begun % 10 === 0) interfere(setting, destinations, random);
        await misbehave(await setting.connect(), random);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, oneAfterAnother));
    setting.open.update(PLAIN);
    await setting.engine.whenIdle();
    await Promise.all(misbehaving);
    await setting.expireAll();
    assert.equal(setting.director.connectionCount, 0);
    for (const it of destinations) {
      const { activeConns, inactiveConns } = setting.director.destinationView(it);
      assert.deepEqual([activeConns, inactiveConns], [0, 0]);
    }
    assert.equal(setting.events.endings.length + setting.events.drops.length, CONNECTIONS);
  });
}
