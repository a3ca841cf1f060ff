/** One-packet mode: every datagram is a decision of its own. */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { LIMITS } from "../../../limits.ts";
import { bytesOf, textOf, UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";

const ONE_PACKET = { onePacket: true } as const;

export function onePacketTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("one packet: a client's datagrams take turns, and every answer comes back", async () => {
    await using setting = await openSetting(member, { options: ONE_PACKET });
    setting.addServer("a:");
    setting.addServer("b:");
    await using client = new UdpPeer();
    const answers: string[] = [];
    for (let i = 0; i < 6; i++) answers.push(textOf(await client.ask(new Uint8Array(0), setting.to)));
    assert.notEqual(answers[0], answers[1]);
    assert.deepEqual(answers, [0, 1, 2].flatMap(() => answers.slice(0, 2)));
    assert.equal(setting.traffic.entries, 0, "one-packet connections have no entry");
    assert.equal(setting.traffic.counts.inPackets, 6);
  });

  test("one packet: answers of one server reach the clients who asked", async () => {
    await using setting = await openSetting(member, { options: ONE_PACKET });
    setting.addServer();
    await using clients = new AsyncDisposableStack();
    await Promise.all(Array.from({ length: 20 }, async (_, who) => {
      const client = clients.use(new UdpPeer());
      for (let i = 0; i < 5; i++) {
        const sent = bytesOf(64, who * 5 + i);
        assert.deepEqual(await client.ask(sent, setting.to), sent);
      }
    }));
    assert.equal(setting.engine.liveConnections(), 20, "one socket for a client and its server");
  });

  test("one packet: the sockets that wait for answers are bounded, and go after a while", async () => {
    const clock = new ManualClock();
    await using setting = await openSetting(member, { clock, options: { ...ONE_PACKET, maxSessions: 3 } });
    setting.addServer();
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < 10; i++) await clients.use(new UdpPeer()).ask(bytesOf(1), setting.to);
    const live = setting.engine.liveConnections();
    // Of two threads one may have seen no client yet.
    assert.ok(member.workers === 2 ? live <= 3 : live === 3, `${live} live`);
    assert.equal(setting.events.endings.filter((it) => it.reason === "evicted").length, 10 - live);
    clock.advance(LIMITS.onePacketReplyMs);
    await setting.untilLive(0);
  });

  test("one packet: a destination that left is asked no more", async () => {
    await using setting = await openSetting(member, { options: ONE_PACKET });
    const leaving = setting.addServer("old:");
    setting.addServer("new:");
    await using client = new UdpPeer();
    for (let i = 0; i < 2; i++) await client.ask(new Uint8Array(0), setting.to);
    await setting.removeDestination(leaving.destination);
    assert.equal(setting.engine.liveConnections(), 1);
    for (let i = 0; i < 4; i++) {
      assert.equal(textOf(await client.ask(new Uint8Array(0), setting.to)), "new:");
    }
  });
}
