/** Datagrams arrive whole, at the right server, and their replies at the right client. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesOf, textOf, UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";

/** Empty, one byte, around the Ethernet MTU, and the largest that IPv4 carries. */
const SIZES = [0, 1, 1_472, 1_473, 9_000, 65_506, 65_507];

export function relayTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  for (const [what, listen, server, client] of FAMILIES) {
    test(`${what}: datagrams of every size go and come back whole`, async () => {
      await using setting = await openSetting(member, { listen });
      const { server: echo } = setting.addServer("", server);
      await using peer = new UdpPeer(client);
      const to = { hostname: client, port: setting.to.port };
      for (const [i, size] of SIZES.entries()) {
        const sent = bytesOf(size, i);
        assert.deepEqual(await peer.ask(sent, to), sent);
        assert.deepEqual(echo.seen[i]?.bytes, sent);
      }
      assert.deepEqual(setting.events.drops, []);
    });
  }

  test("a dual-stack client is known by its IPv4 address", async () => {
    await using setting = await openSetting(member, { listen: "[::]:0" });
    setting.addServer();
    await using peer = new UdpPeer();
    await peer.ask(bytesOf(3), { hostname: "127.0.0.1", port: setting.to.port });
    await setting.engine.resetAll(0, "drained");
    assert.equal(setting.events.endings[0]?.client, `127.0.0.1:${peer.address.port}`);
  });

  test("a session for each client, which keeps its server and its socket", async () => {
    await using setting = await openSetting(member);
    const { server: first } = setting.addServer("a:");
    const { server: second } = setting.addServer("b:");
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < 10; i++) {
      const client = clients.use(new UdpPeer());
      const answers = new Set<string>();
      for (let n = 0; n < 5; n++) answers.add(textOf(await client.ask(bytesOf(0), setting.to)));
      assert.equal(answers.size, 1, "one server for one client");
    }
    assert.equal(setting.engine.liveConnections(), 10);
    assert.equal(setting.engine.liveConnections(setting.traffic.service), 10);
    assert.equal(setting.engine.liveConnections(setting.traffic.service + 1), 0);
    assert.deepEqual([first.callers, second.callers], [5, 5], "round robin over clients");
  });

  test("a datagram is a packet: packets and payload bytes are counted both ways", async () => {
    await using setting = await openSetting(member);
    setting.addServer("re:");
    await using client = new UdpPeer();
    for (const size of [10, 0, 200]) await client.ask(bytesOf(size), setting.to);
    assert.deepEqual({ ...setting.traffic.counts }, {
      inPackets: 3,
      inBytes: 210,
      outPackets: 3,
      outBytes: 219,
    });
    await setting.engine.resetAll(0, "drained");
    const [ended] = setting.events.endings;
    assert.deepEqual([ended?.bytesIn, ended?.bytesOut, ended?.reason], [210, 219, "drained"]);
    assert.equal(ended?.client, `127.0.0.1:${client.address.port}`);
  });

  test("a datagram from somebody who is not the server never reaches the client", async () => {
    await using setting = await openSetting(member);
    await using server = new UdpPeer();
    await using stranger = new UdpPeer();
    setting.traffic.addDestination("127.0.0.1", server.address.port);
    await using client = new UdpPeer();
    await client.send(bytesOf(4), setting.to);
    const { from: session } = await server.receive();
    await stranger.send(new TextEncoder().encode("forged"), session);
    if (!member.reportsClosedPorts) {
      await setting.events.until("the forged one", () => setting.events.drops.includes("source-foreign"));
    }
    await server.send(new TextEncoder().encode("true"), session);
    assert.equal(textOf((await client.receive()).bytes), "true");
    assert.equal(client.waiting, 0);
  });

  test("any mix of clients and sizes: every client gets its own bytes back, in order", async () => {
    const seed = Date.now() & 0x7fffffff;
    const sizes = fc.array(fc.nat(2_000), { minLength: 1, maxLength: 8 });
    const property = fc.asyncProperty(fc.array(sizes, { minLength: 1, maxLength: 12 }), async (plans) => {
      await using setting = await openSetting(member);
      setting.addServer();
      setting.addServer();
      await Promise.all(plans.map(async (plan, who) => {
        await using client = new UdpPeer();
        for (const [i, size] of plan.entries()) {
          const sent = bytesOf(size, who * 8 + i);
          assert.deepEqual(await client.ask(sent, setting.to), sent);
        }
      }));
      assert.equal(setting.engine.liveConnections(), plans.length);
    });
    await fc.assert(property, { numRuns: 25, seed, verbose: 1 });
  });
}

/** What, listening address, real server's, client's. */
const FAMILIES = [
  ["IPv4", "127.0.0.1:0", "127.0.0.1", "127.0.0.1"],
  ["IPv6", "[::1]:0", "::1", "::1"],
  ["IPv6 clients before an IPv4 server", "[::1]:0", "127.0.0.1", "::1"],
  ["dual stack, IPv4 client", "[::]:0", "127.0.0.1", "127.0.0.1"],
  ["dual stack, IPv6 client", "[::]:0", "127.0.0.1", "::1"],
  ["IPv4 wildcard", "0.0.0.0:0", "::1", "127.0.0.1"],
] as const;
