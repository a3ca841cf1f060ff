/** Too many clients, and bytes that make no sense. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { floodFromOutside } from "./udp_flooder.ts";
import { UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";

const MAX_SESSIONS = 128;
const FLOOD = { sockets: 600, bytes: 512, forMs: 1_500 } as const;
/** Far below what one thread sends (50,000/s); enough to keep the receiving loop busy all the time. */
const LEAST_DATAGRAMS = 5_000;
/** Longest time that other work may wait: a health check has a second, an admin request several. */
const LONGEST_GAP_MS = 500;
/** 128 sessions of at most 64 KiB each are 8 MiB; the rest is garbage not yet collected. */
const GROWTH_BYTES = 64 * 1_024 * 1_024;

export function floodTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("a flood from many clients: bounded sessions and memory, and other work goes on", async () => {
    await using setting = await openSetting(member, { options: { maxSessions: MAX_SESSIONS } });
    setting.addServer();
    using heartbeat = new Heartbeat(() => {
      assert.ok(setting.engine.liveConnections() <= MAX_SESSIONS);
      // A thread of its own has made the new entry a moment before it ends the session that gives way.
      assert.ok(setting.traffic.entries <= MAX_SESSIONS + (member.workers ?? 0));
    });
    // Once before, so that the heap has its working size: V8 grows to 100 MiB at first, and stays there.
    await floodFromOutside({ port: setting.to.port, ...FLOOD, forMs: 1_000 });
    const rssBefore = Deno.memoryUsage().rss;
    heartbeat.longestGapMs = 0;
    const sent = await floodFromOutside({ port: setting.to.port, ...FLOOD });
    assert.ok(sent >= LEAST_DATAGRAMS, `only ${sent} datagrams were sent`);
    assert.ok(heartbeat.longestGapMs < LONGEST_GAP_MS, `nothing else ran for ${heartbeat.longestGapMs} ms`);
    const growth = Deno.memoryUsage().rss - rssBefore;
    assert.ok(growth < GROWTH_BYTES, `memory grew by ${growth} bytes`);
    await answersAgain(setting.to);
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

/** The flood may still fill the socket's queue, and the kernel then drops what comes: asks until an answer comes. */
async function answersAgain(to: { hostname: string; port: number }): Promise<void> {
  const question = Uint8Array.of(1, 2, 3);
  await using client = new UdpPeer();
  const asking = setInterval(() => client.send(question, to), 20);
  try {
    let { bytes } = await client.receive();
    // This client may have been given one of the flood's 600 ports, to which answers were still on their way.
    while (bytes.length === FLOOD.bytes) ({ bytes } = await client.receive());
    assert.deepEqual(bytes, question);
  } finally {
    clearInterval(asking);
  }
}

/** Looks at something every few milliseconds, and measures how long the event loop kept it waiting. */
class Heartbeat implements Disposable {
  longestGapMs = 0;
  #lastMs = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(look: () => void) {
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
      look();
    }, 5);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
