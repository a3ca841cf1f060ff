/** Addresses that cannot be bound, servers that cannot be reached. */
import assert from "node:assert/strict";
import type { EndReason } from "../../../engines/engine.ts";
import { SystemError } from "../../../errors.ts";
import { formatEndpoint } from "../../../net/endpoint.ts";
import { endpointOf } from "./heard_events.ts";
import { bytesOf, closedPort, textOf, UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";
import { eventually } from "./waits.ts";

/** Where the tests of failed sends may go: 127.0.0.2 is left out, so that sending there fails as at a firewall. */
const NETWORK = ["127.0.0.1", "0.0.0.0"];

/** A destination that cannot be reached, by a way that the engine is able to notice. */
function unreachable(member: UdpFamilyMember): { host: string; port: number; reason: EndReason } {
  return member.reportsClosedPorts
    ? { host: "127.0.0.1", port: closedPort(), reason: "connect-refused" }
    : { host: "127.0.0.2", port: 9, reason: "connect-failed" };
}

export function failureTests(member: UdpFamilyMember): void {
  bindTests(member);
  sendTests(member);
}

function bindTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("a port in use: ADDRESS_IN_USE, with the address and what to do", async () => {
    await using setting = await openSetting(member);
    const { bound, binding } = setting.open;
    await assert.rejects(setting.engine.open({ ...binding, listen: bound }), (error) => {
      assert.ok(error instanceof SystemError);
      assert.equal(error.code, "ADDRESS_IN_USE");
      assert.ok(error.message.includes(formatEndpoint(bound)) && error.message.includes("ss -lunp"));
      return true;
    });
  });

  test("an address of another host: ADDRESS_NOT_LOCAL", async () => {
    await using setting = await openSetting(member);
    // TEST-NET-3 is nobody's.
    const binding = { ...setting.open.binding, listen: endpointOf("203.0.113.9:5353") };
    await assert.rejects(setting.engine.open(binding), { code: "ADDRESS_NOT_LOCAL" });
  });

  testOf(member, { permissions: { net: NETWORK } })("a forbidden address: PERMISSION_DENIED", async () => {
    await using setting = await openSetting(member);
    const binding = { ...setting.open.binding, listen: endpointOf("127.0.0.2:5353") };
    await assert.rejects(setting.engine.open(binding), { code: "PERMISSION_DENIED" });
  });
}

function sendTests(member: UdpFamilyMember): void {
  const test = testOf(member);
  const failing = testOf(member, { permissions: { net: NETWORK } });

  failing(
    "an unreachable server: passive health hears of it; as in the kernel, the entry stays",
    async () => {
      await using setting = await openSetting(member);
      const { host, port, reason } = unreachable(member);
      const destination = setting.traffic.addDestination(host, port);
      await using client = new UdpPeer();
      for (const times of [1, 2, 3]) {
        await client.send(bytesOf(1), setting.to);
        await setting.events.until("the failure", () => setting.events.failures.length === times);
        assert.deepEqual(setting.events.failures.at(-1), { destination, reason });
        assert.equal(setting.events.endings.at(-1)?.reason, reason);
        assert.equal(setting.engine.liveConnections(), 0);
        assert.equal(setting.traffic.entries, 1);
        if (times === 1) setting.addServer();
      }
    },
  );

  failing("an unreachable server and retries: the client's next datagram goes elsewhere", async () => {
    await using setting = await openSetting(member, { options: { retries: 1 } });
    const { host, port, reason } = unreachable(member);
    const destination = setting.traffic.addDestination(host, port);
    await using client = new UdpPeer();
    await client.send(bytesOf(1), setting.to);
    await setting.events.until("the failure", () => setting.events.failures.length === 1);
    setting.addServer("up:");
    await client.send(bytesOf(1), setting.to);
    await setting.events.until("the next failure", () => setting.events.failures.length === 2);
    assert.equal(textOf(await client.ask(new Uint8Array(0), setting.to)), "up:");
    assert.deepEqual(setting.events.failures, Array.from({ length: 2 }, () => ({ destination, reason })));
    assert.equal(setting.traffic.entries, 1);
  });

  test("a server that answers: passive health hears of it once a session", async () => {
    await using setting = await openSetting(member);
    const { destination } = setting.addServer();
    await using client = new UdpPeer();
    for (let i = 0; i < 3; i++) await client.ask(bytesOf(1), setting.to);
    await setting.events.until("the success", () => setting.events.successes.length > 0);
    assert.deepEqual(setting.events.successes, [destination]);
  });

  test("a destination that is one of our own listeners gets nothing", async () => {
    await using setting = await openSetting(member, {
      isOwnListener: (_, { port }) => port === 53,
    });
    const destination = setting.traffic.addDestination("127.0.0.1", 53);
    await using client = new UdpPeer();
    await client.send(bytesOf(1), setting.to);
    await setting.events.until("the drop", () => setting.events.drops.includes("loop"));
    assert.deepEqual(setting.events.failures, [{ destination, reason: "loop" }]);
    assert.equal(setting.engine.liveConnections(), 0);
  });

  test("a client that is gone when its answer comes harms nobody", async () => {
    await using setting = await openSetting(member);
    await using server = new UdpPeer();
    setting.traffic.addDestination("127.0.0.1", server.address.port);
    const gone = new UdpPeer();
    await gone.send(bytesOf(1), setting.to);
    const { from: session } = await server.receive();
    await gone[Symbol.asyncDispose]();
    for (let i = 0; i < 3; i++) await server.send(bytesOf(1), session);
    await using client = new UdpPeer();
    await client.send(bytesOf(7), setting.to);
    const { bytes, from } = await server.receive();
    await server.send(bytes, from);
    assert.equal((await client.receive()).bytes.length, 7);
  });

  if (!member.reportsClosedPorts) {
    test("limit: a closed port of the server goes unnoticed", async () => {
      await using setting = await openSetting(member);
      setting.traffic.addDestination("127.0.0.1", closedPort());
      await using client = new UdpPeer();
      // The second send of a connected socket would fail: Linux has the ICMP error by then.
      for (let i = 0; i < 3; i++) await client.send(bytesOf(1), setting.to);
      await untilCounted(setting.traffic, 3);
      assert.deepEqual([setting.events.failures, setting.events.drops], [[], []]);
      assert.equal(setting.engine.liveConnections(), 1);
    });
  }
}

/** The engine's loop has no event for "sent": its count is looked at between other work. */
async function untilCounted(traffic: { readonly counts: { readonly inPackets: number } }, packets: number) {
  await eventually(`${packets} packets are counted`, () => traffic.counts.inPackets >= packets);
}
