/** What clients get when a service has as many connections as it may have. */
import assert from "node:assert/strict";
import { openSetting, type TcpFamilyMember, testOf } from "./tcp_setting.ts";

export function fullTests(member: TcpFamilyMember): void {
  const test = testOf(member);

  test("whenFull refuse: a client beyond maxConnections is reset at once and counted, the others go on", async () => {
    const options = { maxConnections: 2, whenFull: "refuse" } as const;
    await using setting = await openSetting(member, { options });
    const { server } = await setting.addServer();
    const first = await setting.pair(server);
    const second = await setting.pair(server);
    const refused = await setting.connect();
    assert.equal(await refused.ended, "reset");
    await setting.events.until("it is counted", () => setting.events.drops.length > 0);
    assert.deepEqual(setting.events.drops, ["max-connections"]);
    assert.deepEqual([server.acceptedCount, setting.engine.liveConnections()], [2, 2]);
    for (const { client, served } of [first, second]) {
      client.send("still");
      await served.received(5);
    }
    // Room again: the next one is served.
    first.client.end();
    first.served.end();
    await setting.events.until("one has ended", () => setting.events.endings.length === 1);
    const { client, served } = await setting.pair(server);
    client.send("room");
    await served.received(4);
    assert.deepEqual(setting.events.drops, ["max-connections"]);
  });

  test("whenFull queue: a client whose turn does not come in time is reset, one whose turn comes is not", async () => {
    const options = { maxConnections: 1, whenFull: "queue", queueTimeoutMs: 300 } as const;
    await using setting = await openSetting(member, { options });
    const { server } = await setting.addServer();
    const first = await setting.pair(server);
    const waiting = await setting.connect();
    assert.equal(await waiting.ended, "reset");
    await setting.events.until("it is counted", () => setting.events.endings.length === 1);
    assert.equal(setting.events.endings[0]?.reason, "queue-timeout");
    assert.equal(server.acceptedCount, 1);
    const next = await setting.connect();
    next.send("my turn");
    first.client.end();
    first.served.end();
    const served = await server.next();
    await served.received(7);
    // Longer than it might have waited: the wait is over with its beginning.
    await new Promise((resolve) => setTimeout(resolve, 500));
    served.send("answer");
    await next.received(6);
    assert.deepEqual(setting.events.endings.map((it) => it.reason), ["queue-timeout", "done"]);
  });
}
