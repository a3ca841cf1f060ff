/** A service's life: opened, changed, closed while connections live, drained; and how many it takes at once. */
import assert from "node:assert/strict";
import { SystemError } from "../../../errors.ts";
import type { Binding } from "../../../engines/engine.ts";
import { LIMITS } from "../../../limits.ts";
import { endpointOf } from "./heard_events.ts";
import { quietPort } from "./quiet_port.ts";
import { connectPeer, type Peer } from "./tcp_peers.ts";
import { openSetting, PLAIN, type TcpFamilyMember, type TcpSetting, testOf } from "./tcp_setting.ts";
import { eventually } from "./waits.ts";

function bindingOf(setting: TcpSetting, listen: string): Binding {
  const { service } = setting;
  return { service, name: "second", protocol: "tcp", listen: endpointOf(listen), options: PLAIN };
}

async function echoOnce(client: Peer, served: Peer): Promise<void> {
  const before = [served.receivedBytes, client.receivedBytes] as const;
  client.send("ping");
  await served.received(before[0] + 4);
  served.send("pong");
  await client.received(before[1] + 4);
}

export function lifeTests(member: TcpFamilyMember): void {
  const test = testOf(member);

  for (
    const [listen, server] of [["127.0.0.1:0", "127.0.0.1"], ["[::1]:0", "::1"], [
      "[::1]:0",
      "127.0.0.1",
    ]] as const
  ) {
    test(`clients of ${listen}, a server on ${server}`, async () => {
      await using setting = await openSetting(member, { listen });
      const { client, served } = await setting.pair((await setting.addServer(server)).server);
      await echoOnce(client, served);
      client.end();
      served.end();
      await setting.engine.whenIdle();
      assert.equal(setting.events.endings[0]?.client, client.name);
    });
  }

  test("[::] takes IPv6 and IPv4; an IPv4 client is called by its IPv4 address", async () => {
    await using setting = await openSetting(member, { listen: "[::]:0" });
    const { server } = await setting.addServer();
    for (const host of ["::1", "127.0.0.1"]) {
      const client = await setting.connect(host);
      const served = await server.next();
      await echoOnce(client, served);
      client.reset();
      await served.ended;
      await setting.engine.whenIdle();
      assert.equal(setting.events.endings.at(-1)?.client, client.name);
    }
  });

  test("an address that cannot be bound is an error that says what to do", async () => {
    await using setting = await openSetting(member);
    const { port } = setting.open.bound;
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      [
        `127.0.0.1:${port}`,
        "ADDRESS_IN_USE",
        /"second": tcp 127\.0\.0\.1:\d+ is taken by another program; see who/,
      ],
      ["192.0.2.1:0", "ADDRESS_NOT_LOCAL", /192\.0\.2\.1:0 is not an address of this host; add it/],
      ["[2001:db8::1]:0", "ADDRESS_NOT_LOCAL", /2001:db8::1\]:0 is not an address of this host/],
    ];
    for (const [listen, code, message] of wrong) {
      await assert.rejects(setting.engine.open(bindingOf(setting, listen)), (error) => {
        assert.ok(error instanceof SystemError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    }
  });

  test("new options hold for new connections", async () => {
    await using setting = await openSetting(member);
    const { server } = await setting.addServer();
    const old = await setting.pair(server);
    setting.open.update({ ...PLAIN, sendProxy: "v1" });
    const fresh = await setting.pair(server);
    old.client.send("plain");
    fresh.client.send("after the header");
    await old.served.received(5);
    await fresh.served.received(20);
    assert.equal(old.served.text, "plain");
    assert.match(fresh.served.text, /^PROXY TCP4 127\.0\.0\.1 /);
  });

  test("a closed service refuses new clients, old ones go on", async () => {
    await using setting = await openSetting(member);
    const { server } = await setting.addServer();
    const { client, served } = await setting.pair(server);
    await setting.open.close();
    const late = await connectPeer(setting.to.hostname, setting.to.port);
    assert.equal(await late.ended, "reset");
    await echoOnce(client, served);
    let isIdle = false;
    const idle = setting.engine.whenIdle().then(() => isIdle = true);
    await echoOnce(client, served);
    assert.equal(isIdle, false);
    client.end();
    served.end();
    await idle;
    assert.equal(setting.engine.liveConnections(), 0);
  });

  test("resets spread over a window: some early, some late, all gone", async () => {
    await using setting = await openSetting(member);
    const { server } = await setting.addServer();
    const ends: number[] = [];
    const startMs = performance.now();
    for (let i = 0; i < 20; i++) {
      const { client } = await setting.pair(server);
      void client.ended.then((how) => ends.push(how === "reset" ? performance.now() : NaN));
    }
    const resetMs = performance.now();
    await setting.engine.resetAll(200, "drained", setting.service);
    assert.equal(setting.engine.liveConnections(), 0);
    await setting.events.until("all ended", () => setting.events.endings.length === 20);
    await eventually("all clients have seen their ends", () => ends.length === 20);
    assert.deepEqual(new Set(setting.events.endings.map((it) => it.reason)), new Set(["drained"]));
    const after = ends.map((it) => it - resetMs);
    assert.ok(Math.min(...after) < 50 && Math.max(...after) >= 150, `${after}, from ${startMs}`);
  });

  test("a destination that left for good: its connections are cut when that is wished, and only its", async () => {
    await using setting = await openSetting(member);
    const first = await setting.addServer();
    const second = await setting.addServer();
    const clients = [await setting.connect(), await setting.connect()];
    const served = [await first.server.next(), await second.server.next()];
    setting.engine.destinationRemoved(first.destination, false);
    for (const it of clients) it.send("still there");
    for (const it of served) await it.received(11);
    setting.engine.destinationRemoved(first.destination, true);
    await setting.events.until("one ended", () => setting.events.endings.length === 1);
    assert.equal(setting.events.endings[0]?.reason, "destination-removed");
    assert.equal(await served[0]?.ended, "reset");
    assert.equal(setting.engine.liveConnections(), 1);
  });

  test("a client port that comes back after its destination left is a new connection", async () => {
    await using setting = await openSetting(member);
    const gone = await setting.addServer();
    const port = quietPort((port) => Deno.listen({ hostname: "127.0.0.1", port }).close());
    const client = await setting.connect(setting.to.hostname, port);
    assert.equal(client.name, `127.0.0.1:${port}`);
    await gone.server.next();
    const { server } = await setting.addServer();
    setting.director.deleteDestination(gone.destination, setting.clock.nowMs());
    client.reset();
    await client.closed;
    await setting.engine.whenIdle();
    let again = await setting.connect(setting.to.hostname, port);
    const untilMs = performance.now() + 5_000;
    // The runtime lets go of a port a moment after it says so: until then bind fails.
    while (again.name === "") {
      assert.ok(performance.now() < untilMs, `port ${port} could not be bound again in 5 s`);
      again = await setting.connect(setting.to.hostname, port);
    }
    assert.equal(again.name, client.name);
    await echoOnce(again, await server.next());
  });

  test("beyond maxConnections clients wait their turn, in order, and see nothing of it", async () => {
    await using setting = await openSetting(member, { options: { maxConnections: 2 } });
    const { server, destination } = await setting.addServer();
    const clients: Peer[] = [];
    for (let i = 0; i < 5; i++) {
      clients.push(await setting.connect());
      clients[i]?.send(`client ${i}`);
    }
    const served = [await server.next(), await server.next()];
    for (const it of served) await it.received(8);
    assert.equal(setting.director.destinationView(destination).activeConns, 2);
    assert.equal(server.acceptedCount, 2);
    for (let i = 0; i < 3; i++) {
      clients[Number(served[i]?.text.split(" ")[1])]?.end();
      served[i]?.end();
      const next = await server.next();
      await next.received(8);
      served.push(next);
      // Two threads have a queue each.
      if ((member.workers ?? 1) === 1) assert.equal(next.text, `client ${i + 2}`);
      assert.equal(server.acceptedCount, i + 3);
    }
    setting.open.update({ ...PLAIN, maxConnections: 3 });
    await echoOnce(await setting.connect(), await server.next());
  });

  // Each worker moves its time by itself: whom one of them lets in, the next one's later time would end.
  if ((member.workers ?? 1) === 1) {
    test("a waiting client's turn may come in the middle of the director's expiry", async () => {
      await using setting = await openSetting(member, { options: { maxConnections: 1 } });
      const { server } = await setting.addServer();
      const first = await setting.pair(server);
      const waiting = await setting.connect();
      await eventually("the second one waits", () => setting.engine.liveConnections() === 2);
      const segment = setting.director.segment.bind(setting.director);
      let isExpiring = true;
      setting.director.segment = (...args) => {
        assert.ok(!isExpiring, "asked for an entry while one expires");
        return segment(...args);
      };
      const expired = setting.expireAll();
      isExpiring = false;
      await expired;
      assert.equal(await first.client.ended, "reset");
      await echoOnce(waiting, await server.next());
    });
  }

  test("the queue before maxConnections is bounded; beyond it clients are reset", async () => {
    await using setting = await openSetting(member, { options: { maxConnections: 1 } });
    await setting.addServer();
    const clients = Array.from({ length: LIMITS.heldConnections + 4 }, () => setting.connect());
    await setting.events.until("three refused", () => setting.events.endings.length === 3);
    assert.deepEqual(new Set(setting.events.endings.map((it) => it.reason)), new Set(["no-room"]));
    await Promise.all(clients);
    assert.equal(setting.engine.liveConnections(), LIMITS.heldConnections + 1);
  });

  test("stopping leaves nothing behind", async () => {
    await using setting = await openSetting(member);
    const { server } = await setting.addServer();
    const { client, served } = await setting.pair(server);
    const waiting = await setting.connect();
    await setting.engine.stop();
    assert.deepEqual([await client.ended, await served.ended, await waiting.ended], [
      "reset",
      "reset",
      "reset",
    ]);
    assert.equal(setting.engine.liveConnections(), 0);
  });
}
