/** Sessions begin and end when they should, and the director's entries with them. */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { bytesOf, quietUdpPort, textOf, UdpPeer } from "./udp_peers.ts";
import { openSetting, PLAIN, testOf, type UdpFamilyMember } from "./udp_setting.ts";
import { ENTRY_MS } from "./udp_traffic.ts";

export function lifeTests(member: UdpFamilyMember): void {
  evictionTests(member);
  quietTests(member);
  departureTests(member);
}

function evictionTests(member: UdpFamilyMember): void {
  const test = testOf(member);
  capTests(member);
  // Each of several threads has an order of its own, and which one a client comes to is the kernel's choice.
  if ((member.workers ?? 0) > 1) return;

  test("one session too many: the least recently used one gives way, and its entry", async () => {
    await using setting = await openSetting(member, { options: { maxSessions: 3 } });
    setting.addServer();
    await using clients = new AsyncDisposableStack();
    const [first, second, third, fourth] = Array.from({ length: 4 }, () => clients.use(new UdpPeer()));
    assert.ok(first && second && third && fourth);
    for (const client of [first, second, third, first, fourth]) await client.ask(bytesOf(8), setting.to);
    assert.equal(setting.engine.liveConnections(), 3);
    assert.deepEqual(setting.events.endings.map((it) => [it.client, it.reason]), [
      [`127.0.0.1:${second.address.port}`, "evicted"],
    ]);
    assert.equal(setting.traffic.entries, 3, "the evicted session's entry is forgotten");
  });

  test("replies count as use", async () => {
    await using setting = await openSetting(member, { options: { maxSessions: 2 } });
    await using server = new UdpPeer();
    setting.traffic.addDestination("127.0.0.1", server.address.port);
    await using busy = new UdpPeer();
    await using quiet = new UdpPeer();
    await using late = new UdpPeer();
    await busy.send(bytesOf(1), setting.to);
    const { from: session } = await server.receive();
    await quiet.send(bytesOf(1), setting.to);
    await server.receive();
    await server.send(bytesOf(5), session);
    await busy.receive();
    await late.send(bytesOf(1), setting.to);
    await server.receive();
    await setting.untilLive(2);
    assert.equal(setting.events.endings[0]?.client, `127.0.0.1:${quiet.address.port}`);
  });
}

function capTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("a lower cap holds at once", async () => {
    await using setting = await openSetting(member);
    setting.addServer();
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < 32; i++) await clients.use(new UdpPeer()).ask(bytesOf(1), setting.to);
    assert.equal(setting.engine.liveConnections(), 32);
    await setting.update({ ...PLAIN, maxSessions: 2 });
    assert.equal(setting.engine.liveConnections(), 2);
    assert.equal(setting.traffic.entries, 2);
  });

  test("more clients than the cap: all are served, never more at once", async () => {
    await using setting = await openSetting(member, { options: { maxSessions: 8 } });
    setting.addServer();
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < 64; i++) {
      assert.equal((await clients.use(new UdpPeer()).ask(bytesOf(i), setting.to)).length, i);
      assert.ok(setting.engine.liveConnections() <= 8);
      assert.equal(setting.traffic.entries, setting.engine.liveConnections());
    }
    assert.deepEqual(new Set(setting.events.endings.map((it) => it.reason)), new Set(["evicted"]));
    assert.equal(setting.events.endings.length, 64 - setting.engine.liveConnections());
    assert.deepEqual(setting.events.drops, []);
  });
}

function quietTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("idleTimeoutMs ends a session that was quiet so long, and no other", async () => {
    const clock = new ManualClock();
    {
      await using setting = await openSetting(member, { clock, options: { idleTimeoutMs: 1_000 } });
      setting.addServer();
      await using busy = new UdpPeer();
      await using quiet = new UdpPeer();
      await busy.ask(bytesOf(1), setting.to);
      await quiet.ask(bytesOf(1), setting.to);
      clock.advance(600);
      await busy.ask(bytesOf(1), setting.to);
      clock.advance(399);
      assert.equal(setting.engine.liveConnections(), 2);
      clock.advance(1);
      await setting.untilLive(1);
      assert.deepEqual(
        setting.events.endings.map((it) => [it.client, it.reason, it.durationMs]),
        [[`127.0.0.1:${quiet.address.port}`, "idle-timeout", 1_000]],
      );
      assert.equal(clock.pendingTimers, 1, "one timer, however many sessions");
      clock.advance(600);
      await setting.untilLive(0);
      assert.equal(setting.traffic.entries, 0, "no entry outlives its session");
    }
    assert.equal(clock.pendingTimers, 0);
  });

  test("without idleTimeoutMs a session lives as long as the director's entry", async () => {
    const clock = new ManualClock();
    await using setting = await openSetting(member, { clock });
    setting.addServer();
    await using client = new UdpPeer();
    await client.ask(bytesOf(1), setting.to);
    clock.advance(ENTRY_MS - 1);
    await setting.advance(clock.nowMs());
    assert.equal(setting.engine.liveConnections(), 1);
    // The director's timers may be as coarse as a second.
    clock.advance(1_001);
    await setting.advance(clock.nowMs());
    await setting.untilLive(0);
    assert.equal(setting.traffic.entries, 0);
    assert.equal(setting.events.endings[0]?.reason, "idle-timeout");
    const text = textOf(await client.ask(new TextEncoder().encode("again"), setting.to));
    assert.equal(text, "again");
  });

  test("a datagram that finds its entry out of time begins a new session", async () => {
    const clock = new ManualClock();
    await using setting = await openSetting(member, { clock });
    const { server } = setting.addServer();
    await using client = new UdpPeer();
    await client.ask(bytesOf(1), setting.to);
    clock.advance(ENTRY_MS + 1);
    await client.ask(bytesOf(2), setting.to);
    assert.equal(setting.engine.liveConnections(), 1);
    assert.equal(setting.traffic.entries, 1);
    assert.equal(server.seen.length, 2);
  });

  test("a session follows its entry to another destination", async () => {
    const clock = new ManualClock();
    // Nobody tells the engine that the entry ended and that there is another one.
    await using setting = await openSetting(member, { clock, hearsOfExpiry: false });
    setting.addServer("a:");
    await using client = new UdpPeer();
    assert.equal(textOf(await client.ask(new Uint8Array(0), setting.to)), "a:");
    setting.addServer("b:");
    clock.advance(ENTRY_MS + 1);
    assert.equal(textOf(await client.ask(new Uint8Array(0), setting.to)), "b:");
    assert.equal(setting.engine.liveConnections(), 1);
  });
}

function departureTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("a destination leaves: its sessions end at once, the next datagram is scheduled anew", async () => {
    await using setting = await openSetting(member);
    const leaving = setting.addServer("old:");
    await using client = new UdpPeer();
    assert.equal(textOf(await client.ask(new Uint8Array(0), setting.to)), "old:");
    setting.addServer("new:");
    await setting.removeDestination(leaving.destination);
    assert.equal(setting.engine.liveConnections(), 0);
    assert.equal(setting.traffic.entries, 0);
    assert.equal(setting.events.endings[0]?.reason, "destination-removed");
    assert.equal(textOf(await client.ask(new Uint8Array(0), setting.to)), "new:");
  });

  test("no destination: the datagram is dropped and counted, and nothing is kept", async () => {
    await using setting = await openSetting(member);
    await using client = new UdpPeer();
    await client.send(bytesOf(1), setting.to);
    await setting.events.until("the drop", () => setting.events.drops.includes("no-destination"));
    assert.equal(setting.engine.liveConnections(), 0);
    assert.equal(setting.traffic.entries, 0);
  });

  test("close: no new client is served, a live session goes on, then the port is free", async () => {
    await using setting = await openSetting(member, { listen: `127.0.0.1:${quietUdpPort()}` });
    setting.addServer();
    await using client = new UdpPeer();
    await using late = new UdpPeer();
    await client.ask(bytesOf(1), setting.to);
    await setting.open.close();
    assert.equal((await client.ask(bytesOf(9), setting.to)).length, 9);
    await late.send(bytesOf(1), setting.to);
    await setting.events.until("the drop", () => setting.events.drops.includes("service-removed"));
    assert.equal(setting.traffic.entries, 1, "the refused client has no entry");
    assert.equal(setting.traffic.counts.inPackets, 2, "the director was not asked about it");
    const idle = setting.engine.whenIdle();
    await setting.engine.resetAll(0, "drained");
    await idle;
    await setting.open.close();
    Deno.listenDatagram({ transport: "udp", ...setting.to }).close();
  });

  test("stop: sessions, sockets and entries are gone when it resolves", async () => {
    await using setting = await openSetting(member, { listen: `127.0.0.1:${quietUdpPort()}` });
    setting.addServer();
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < 20; i++) await clients.use(new UdpPeer()).ask(bytesOf(1), setting.to);
    await setting.engine.stop();
    assert.equal(setting.engine.liveConnections(), 0);
    assert.equal(setting.traffic.entries, 0);
    assert.equal(setting.events.endings.length, 20);
    Deno.listenDatagram({ transport: "udp", ...setting.to }).close();
  });
}
