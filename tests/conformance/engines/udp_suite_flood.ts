/** Too many clients, and bytes that make no sense. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";

const MAX_SESSIONS = 128;
const FLOODERS = 600;
const ROUNDS = 20;
/** Longest time that other work may wait: a health check has a second, an admin request several. */
const LONGEST_GAP_MS = 500;
/** 128 sessions of at most 64 KiB each are 8 MiB; the rest is the runtime's own. */
const GROWTH_BYTES = 64 * 1_024 * 1_024;

export function floodTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("a flood from many clients: bounded sessions and memory, and other work goes on", async () => {
    await using setting = await openSetting(member, { options: { maxSessions: MAX_SESSIONS } });
    setting.addServer();
    await using clients = new AsyncDisposableStack();
    const flooders = Array.from({ length: FLOODERS }, () => clients.use(new UdpPeer()));
    const rssBefore = Deno.memoryUsage().rss;
    using heartbeat = new Heartbeat();
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(flooders.map((it) => it.send(FLOOD_BYTES, setting.to)));
      assert.ok(setting.engine.liveConnections() <= MAX_SESSIONS);
      assert.ok(setting.traffic.entries <= MAX_SESSIONS);
    }
    assert.ok(heartbeat.longestGapMs < LONGEST_GAP_MS, `nothing else ran for ${heartbeat.longestGapMs} ms`);
    const growth = Deno.memoryUsage().rss - rssBefore;
    assert.ok(growth < GROWTH_BYTES, `memory grew by ${growth} bytes`);
    await using client = new UdpPeer();
    const answer = client.receive();
    // The flood may still fill the socket's queue, and the kernel then drops what comes.
    const asking = setInterval(() => client.send(FLOOD_BYTES, setting.to), 20);
    assert.equal((await answer.finally(() => clearInterval(asking))).bytes.length, FLOOD_BYTES.length);
  });

  test("any bytes of any length pass, and none stops the service", async () => {
    const seed = Date.now() & 0x7fffffff;
    await using setting = await openSetting(member);
    setting.addServer();
    await using client = new UdpPeer();
    const property = fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), async (bytes) => {
      assert.deepEqual([...await client.ask(Uint8Array.from(bytes), setting.to)], [...bytes]);
    });
    await fc.assert(property, { numRuns: 300, seed, verbose: 1 });
  });
}

const FLOOD_BYTES = new Uint8Array(512);

/** Measures how long the event loop keeps a timer waiting. */
class Heartbeat implements Disposable {
  longestGapMs = 0;
  #lastMs = performance.now();
  readonly #timer = setInterval(() => {
    const nowMs = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }, 5);

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
