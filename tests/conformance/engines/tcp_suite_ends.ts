/** How connections end: half-close both ways, resets both ways, and what the director makes of it. */
import assert from "node:assert/strict";
import { type Peer } from "./tcp_peers.ts";
import { openSetting, type TcpFamilyMember, testOf } from "./tcp_setting.ts";

const TIMES = 100;

export function endTests(member: TcpFamilyMember): void {
  const test = testOf(member);

  test("half-close by the client: the other way stays open, 100 of 100", async () => {
    await using setting = await openSetting(member);
    const { server } = await setting.addServer();
    for (let i = 0; i < TIMES; i++) {
      const { client, served } = await setting.pair(server);
      client.end("question");
      assert.equal(await served.ended, "fin");
      assert.equal(served.text, "question");
      served.send("an answer, ");
      await client.received(11);
      served.end("and its end");
      assert.equal(await client.ended, "fin");
      assert.equal(client.text, "an answer, and its end");
    }
    await setting.events.until("all done", () => setting.events.endings.length === TIMES);
    assert.deepEqual(new Set(setting.events.endings.map((it) => it.reason)), new Set(["done"]));
  });

  test("half-close by the server: the other way stays open, 100 of 100", async () => {
    await using setting = await openSetting(member);
    const { server } = await setting.addServer();
    for (let i = 0; i < TIMES; i++) {
      const { client, served } = await setting.pair(server);
      served.end("greeting");
      assert.equal(await client.ended, "fin");
      assert.equal(client.text, "greeting");
      client.send("upload, ");
      await served.received(8);
      client.end("and its end");
      assert.equal(await served.ended, "fin");
      assert.equal(served.text, "upload, and its end");
    }
    await setting.events.until("all done", () => setting.events.endings.length === TIMES);
    assert.deepEqual(new Set(setting.events.endings.map((it) => it.reason)), new Set(["done"]));
  });

  const resets: readonly (readonly [string, (client: Peer, served: Peer) => [Peer, Peer], string])[] = [
    ["client", (client, served) => [client, served], "client-reset"],
    ["server", (client, served) => [served, client], "server-reset"],
  ];
  for (const [who, order, reason] of resets) {
    test(`a reset by the ${who} is seen as a reset, 100 of 100`, async () => {
      await using setting = await openSetting(member);
      const { server } = await setting.addServer();
      for (let i = 0; i < TIMES; i++) {
        const { client, served } = await setting.pair(server);
        const [from, to] = order(client, served);
        if (i % 2 === 1) {
          from.send("some bytes");
          await to.received(10);
        }
        from.reset();
        assert.equal(await to.ended, "reset", `connection ${i}`);
      }
      await setting.events.until("all ended", () => setting.events.endings.length === TIMES);
      assert.deepEqual(new Set(setting.events.endings.map((it) => it.reason)), new Set([reason]));
    });

    test(`a reset by the ${who} is not held up by bytes that wait for a slow peer`, async () => {
      await using setting = await openSetting(member);
      const { server } = await setting.addServer();
      const { client, served } = await setting.pair(server);
      const [from, to] = order(client, served);
      from.socket.pause();
      await to.fill();
      from.reset();
      assert.equal(await to.ended, "reset");
      await setting.engine.whenIdle();
    });

    test(`a reset by the ${who} reaches a slow peer behind the bytes before it`, async () => {
      await using setting = await openSetting(member);
      const { server } = await setting.addServer();
      const { client, served } = await setting.pair(server);
      const [from, to] = order(client, served);
      to.socket.pause();
      await from.fill();
      from.reset();
      to.socket.resume();
      assert.equal(await to.ended, "reset");
      await setting.engine.whenIdle();
      assert.equal(setting.events.endings[0]?.reason, reason);
    });

    test(`a reset by the ${who} after its half-close is seen once something is sent to it`, async () => {
      await using setting = await openSetting(member);
      const { server } = await setting.addServer();
      const { client, served } = await setting.pair(server);
      const [from, to] = order(client, served);
      from.end();
      assert.equal(await to.ended, "fin");
      from.reset();
      const closed = to.closed;
      const sending = setInterval(() => to.send("anybody there?"), 10);
      await closed;
      clearInterval(sending);
      await setting.engine.whenIdle();
    });
  }

  test("the director's counters follow, and are 0 after the last entry expired", async () => {
    await using setting = await openSetting(member);
    const { server, destination } = await setting.addServer();
    const counts = () => {
      const { activeConns, inactiveConns } = setting.director.destinationView(destination);
      return [activeConns, inactiveConns];
    };
    const pairs = [];
    for (let i = 0; i < 4; i++) {
      const pair = await setting.pair(server);
      // A client's reset before the engine knows of the connect leaves an entry in SYN_RECV, as with the kernel.
      pair.served.send("!");
      await pair.client.received(1);
      pairs.push(pair);
    }
    assert.deepEqual(counts(), [4, 0]);
    assert.equal(setting.engine.liveConnections(setting.service), 4);
    const [first, second, third] = pairs;
    first?.client.send("12345");
    await first?.served.received(5);
    first?.served.end("1234567");
    await first?.client.ended;
    first?.client.end();
    second?.client.reset();
    third?.served.reset();
    await setting.events.until("three ended", () => setting.events.endings.length === 3);
    assert.deepEqual(counts(), [1, 3], "one lives, three wait for their time-outs");
    const { inBytes, outBytes, inPackets, outPackets, connections } =
      setting.director.serviceView(setting.service).statistics;
    assert.deepEqual({ inBytes, outBytes, connections }, { inBytes: 5, outBytes: 11, connections: 4 });
    // Three handshakes, two payloads, the ends; or nothing at all where nobody can know.
    const seesPackets = member.seesPackets ?? false;
    assert.deepEqual(
      [inPackets >= 9, outPackets >= 4],
      [seesPackets, seesPackets],
      `${inPackets} ${outPackets}`,
    );
    if (!seesPackets) assert.deepEqual([inPackets, outPackets], [0, 0]);
    await setting.expireAll();
    assert.deepEqual(counts(), [0, 0]);
    assert.equal(setting.director.connectionCount, 0);
    await setting.events.until("the fourth is reset", () => setting.events.endings.length === 4);
    assert.equal(setting.events.endings.at(-1)?.reason, "idle-timeout");
    assert.equal(await pairs[3]?.client.ended, "reset");
  });
}
