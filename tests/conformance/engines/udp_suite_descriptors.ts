/** Few file descriptors: UDP must not take those that others need. */
import assert from "node:assert/strict";
import { LIMITS } from "../../../limits.ts";
import { endpointOf } from "./heard_events.ts";
import { bytesOf, textOf, UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";

/** Leaves 24 for sockets, after the descriptors held back for emergencies. */
const FEW = { limit: 40 + LIMITS.spareDescriptorsLeast, open: 16 };
const MOST_SESSIONS = 24 * LIMITS.udpDescriptorsPerMille / 1_000;

export function descriptorTests(member: UdpFamilyMember): void {
  const test = testOf(member);
  // Of several threads one may have none of the few sessions, and so none to give up.
  if ((member.workers ?? 0) > 1) return;

  test("sessions give way to each other, not TCP to them, when descriptors are few", async () => {
    await using setting = await openSetting(member, { descriptors: FEW });
    setting.addServer();
    const { binding } = setting.open;
    const other = { ...binding, listen: endpointOf("127.0.0.1:0") };
    const second = await setting.engine.open(other);
    await using clients = new AsyncDisposableStack();
    for (let i = 0; i < 40; i++) {
      assert.equal((await clients.use(new UdpPeer()).ask(bytesOf(5), setting.to)).length, 5);
      assert.ok(setting.engine.liveConnections() <= MOST_SESSIONS);
    }
    assert.equal(setting.engine.liveConnections(), MOST_SESSIONS);
    // Another service has no session of its own to give up.
    const late = clients.use(new UdpPeer());
    const to = { hostname: "127.0.0.1", port: second.bound.port };
    await late.send(bytesOf(1), to);
    await setting.events.until("the drop", () => setting.events.drops.includes("no-room"));
    assert.equal(setting.traffic.entries, MOST_SESSIONS, "no entry without a session");
    await setting.engine.resetAll(0, "drained");
    assert.equal(textOf(await late.ask(new TextEncoder().encode("now"), to)), "now");
  });
}
