/** Many datagrams at once, and trains that the kernel keeps together: each stays the datagram that it was. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { TrainClient } from "./udp_train_client.ts";
import { bytesOf, closedPort, UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";

/** A train of equal ones with a smaller one at its end, another one, and what belongs to none. */
const LENGTHS = [...Array(12).fill(1_200), 300, 1_200, 1_200, 0, 0, 1, 64, 64, 64];

export function trainTests(member: UdpFamilyMember): void {
  if (Deno.build.os !== "linux") return;
  const test = testOf(member);

  for (const [what, listen, host] of TRAINS_TO) {
    test(`trains ${what}: every datagram goes and comes back by itself, in order`, async () => {
      await using setting = await openSetting(member, { listen });
      const { server } = setting.addServer("", host);
      using client = new TrainClient({ hostname: host, port: setting.to.port });
      const sent = LENGTHS.map((length, i) => bytesOf(length, i));
      for (let round = 1; round <= 3; round++) {
        client.send(sent, true);
        assert.deepEqual(await client.receive(sent.length), sent);
        assert.deepEqual(server.seen.splice(0).map((it) => it.bytes), sent);
        const bytes = LENGTHS.reduce((sum, it) => sum + it, 0) * round;
        const packets = LENGTHS.length * round;
        assert.deepEqual({ ...setting.traffic.counts }, {
          inPackets: packets,
          inBytes: bytes,
          outPackets: packets,
          outBytes: bytes,
        });
      }
      assert.equal(setting.engine.liveConnections(), 1);
      assert.deepEqual(setting.events.drops, []);
    });
  }

  test("trains: a PROXY header stands before each datagram of one", async () => {
    await using setting = await openSetting(member, { options: { sendProxy: "v2" } });
    const { server } = setting.addServer();
    using client = new TrainClient(setting.to);
    client.send([500, 500, 500, 20].map(bytesOf), true);
    await client.receive(4);
    assert.deepEqual(server.seen.map((it) => it.bytes.length), [528, 528, 528, 48]);
  });

  test("trains: in one-packet mode each datagram is a decision of its own", async () => {
    await using setting = await openSetting(member, { options: { onePacket: true } });
    const { server: first } = setting.addServer();
    const { server: second } = setting.addServer();
    using client = new TrainClient(setting.to);
    client.send(Array.from({ length: 20 }, (_, i) => bytesOf(100, i)), true);
    await client.receive(20);
    assert.deepEqual([first.seen.length, second.seen.length], [10, 10]);
    assert.equal(setting.traffic.counts.inPackets, 20);
  });

  test("a batch of many clients and sizes: every client gets its own back, in its order", async () => {
    const seed = Date.now() & 0x7fffffff;
    await using setting = await openSetting(member);
    setting.addServer();
    using stack = new DisposableStack();
    const clients = Array.from({ length: 8 }, () => stack.use(new TrainClient(setting.to)));
    const plan = fc.array(fc.tuple(fc.nat(7), fc.constantFrom(0, 1, 60, 60, 60, 1_400)), {
      minLength: 1,
      maxLength: 60,
    });
    const property = fc.asyncProperty(plan, fc.boolean(), async (steps, asTrains) => {
      const sent = clients.map((): Uint8Array<ArrayBuffer>[] => []);
      for (const [i, [who, length]] of steps.entries()) sent[who]?.push(bytesOf(length, i));
      for (const [who, client] of clients.entries()) client.send(sent[who] ?? [], asTrains);
      for (const [who, client] of clients.entries()) {
        assert.deepEqual(await client.receive(sent[who]?.length ?? 0), sent[who]);
      }
    });
    await fc.assert(property, { numRuns: 40, seed, verbose: 1 });
    assert.deepEqual(setting.events.drops, []);
  });

  test("a train of a client whose first datagrams wait for their destination's first look", async () => {
    await using setting = await openSetting(member);
    setting.addServer();
    using client = new TrainClient(setting.to);
    const sent = Array.from({ length: 60 }, (_, i) => bytesOf(i < 30 ? 200 : i, i));
    client.send(sent.slice(0, 30), true);
    client.send(sent.slice(30), false);
    assert.deepEqual(await client.receive(60), sent);
    assert.equal(setting.traffic.counts.inPackets, 60);
    assert.equal(setting.traffic.counts.outPackets, 60);
  });

  if (!member.reportsClosedPorts) return;
  test("a server that goes away while trains flow: a passive failure each time, and the service lives", async () => {
    await using setting = await openSetting(member, { options: { retries: 1 } });
    const destination = setting.traffic.addDestination("127.0.0.1", closedPort());
    using client = new TrainClient(setting.to);
    for (const times of [1, 2, 3]) {
      client.send(Array.from({ length: 10 }, (_, i) => bytesOf(100, i)), true);
      await setting.events.until("the failure", () => setting.events.failures.length >= times);
    }
    assert.deepEqual(setting.events.failures[0], { destination, reason: "connect-refused" });
    setting.addServer();
    await using other = new UdpPeer();
    // Round robin: one of two goes to the server that is there, and what failed is asked again elsewhere.
    let answered = false;
    const answer = other.receive().then(() => answered = true);
    while (!answered) {
      await other.send(bytesOf(1), setting.to);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await answer;
  });
}

const TRAINS_TO = [
  ["over IPv4", "127.0.0.1:0", "127.0.0.1"],
  ["over IPv6", "[::1]:0", "::1"],
  ["to a wildcard", "0.0.0.0:0", "127.0.0.1"],
  ["to a dual-stack wildcard over IPv4", "[::]:0", "127.0.0.1"],
  ["to a dual-stack wildcard over IPv6", "[::]:0", "::1"],
] as const;
