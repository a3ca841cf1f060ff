/** A burst of clients on a processor that is busy elsewhere. */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { LIMITS } from "../../../limits.ts";
import { member as handles } from "./tcp_portable_engine.ts";
import { member as nodeNet } from "./tcp_portable_node_engine.ts";
import type { Peer } from "./tcp_peers.ts";
import { openSetting, testOf } from "./tcp_setting.ts";

/** Fewer than a peer's backlog has room for. */
const CLIENTS = 500;
/** What each connect costs, milliseconds: twenty times the usual. */
const STOLEN_MS = 1;
/** Shorter than all connects at once would take, longer than {@linkcode LIMITS.freshConnects} of them. */
const CONNECT_TIMEOUT_MS = 400;

for (const member of [handles, nodeNet]) {
  testOf(member)("a burst of clients on a starved processor: no connect is given up", async () => {
    assert.ok(LIMITS.freshConnects * STOLEN_MS < CONNECT_TIMEOUT_MS);
    assert.ok(CLIENTS * STOLEN_MS > CONNECT_TIMEOUT_MS);
    await using setting = await openSetting(member, {
      options: { connectTimeoutMs: CONNECT_TIMEOUT_MS },
      isOwnListener: () => {
        const untilMs = performance.now() + STOLEN_MS;
        while (performance.now() < untilMs);
        return false;
      },
    });
    const { server } = await setting.addServer();
    const clients: Promise<Peer>[] = [];
    for (let i = 0; i < CLIENTS; i++) clients.push(setting.connect());
    for (const client of await Promise.all(clients)) client.send("x");
    await setting.events.until("all have a server", () => setting.events.successes.length === CLIENTS);
    for (let i = 0; i < CLIENTS; i++) await (await server.next()).received(1);
    assert.deepEqual(setting.events.failures, []);
  });

  testOf(member)(
    "a burst beyond maxConnections: all that have no place are refused, and no one else",
    async () => {
      const places = LIMITS.freshConnects + 36;
      await using setting = await openSetting(member, {
        options: { maxConnections: places, whenFull: "refuse" },
      });
      const { server } = await setting.addServer();
      const clients: Promise<Peer>[] = [];
      for (let i = 0; i < places + 50; i++) clients.push(setting.connect());
      await setting.events.until("50 are refused", () => setting.events.drops.length === 50);
      for (let i = 0; i < places; i++) await server.next();
      await Promise.all(clients);
      assert.deepEqual(new Set(setting.events.drops), new Set(["max-connections"]));
      assert.deepEqual([setting.engine.liveConnections(), setting.events.endings.length], [places, 0]);
    },
  );

  testOf(member)("a burst beyond maxConnections: no more wait for their turn than may", async () => {
    const places = LIMITS.freshConnects + 36;
    // Time stands still, so that of those that have a place some wait too.
    const clock = new ManualClock();
    await using setting = await openSetting(member, { clock, options: { maxConnections: places } });
    await setting.addServer();
    const most = places + LIMITS.heldConnections;
    const clients = Array.from({ length: most + 50 }, () => setting.connect());
    await setting.events.until("50 are refused", () => setting.events.endings.length === 50);
    await Promise.all(clients);
    assert.deepEqual(new Set(setting.events.endings.map((it) => it.reason)), new Set(["no-room"]));
    assert.equal(setting.engine.liveConnections(), most);
  });
}
