/** Too many clients, and bytes that make no sense. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { exposedCollector } from "./collector.ts";
import { floodFromOutside } from "./udp_flooder.ts";
import { UdpPeer } from "./udp_peers.ts";
import { openSetting, testOf, type UdpFamilyMember } from "./udp_setting.ts";

const MAX_SESSIONS = 128;
const FLOOD = { sockets: 600, bytes: 512, forMs: 1_500 } as const;
/** Far below what one thread sends (50,000/s); enough to keep the receiving loop busy all the time. */
const LEAST_DATAGRAMS = 5_000;
/** Longest time that other work may wait: a health check has a second, an admin request several. */
const LONGEST_GAP_MS = 500;
/** 128 sessions of at most 64 KiB each are 8 MiB; 48 bytes left behind by each of 300,000 datagrams would be 14. */
const GROWTH_BYTES = 16 * 1_024 * 1_024;
const MOST_FLOODS = 4;

export function floodTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  test("a flood from many clients: bounded sessions and memory, and other work goes on", async () => {
    await using setting = await openSetting(member, { options: { maxSessions: MAX_SESSIONS } });
    setting.addServer();
    const collect = exposedCollector();
    using heartbeat = new Heartbeat(() => {
      assert.ok(setting.engine.liveConnections() <= MAX_SESSIONS);
      // A thread of its own has made the new entry a moment before it ends the session that gives way.
      assert.ok(setting.traffic.entries <= MAX_SESSIONS + (member.workers ?? 0));
      // What this test remembers of each session would be half of what it measures.
      setting.events.endings.length = 0;
    });
    const memory = () => {
      collect();
      return Deno.memoryUsage().rss;
    };
    // The first flood brings the workers' heaps to their working size, at times the second; there they stay. What each datagram
    // or session leaves behind grows with every flood.
    await floodFromOutside({ port: setting.to.port, ...FLOOD });
    for (let flood = 2, growth = Infinity; growth >= GROWTH_BYTES; flood++) {
      assert.ok(flood <= MOST_FLOODS, `memory grew with every flood, with the last by ${growth} bytes`);
      const before = memory();
      heartbeat.restart();
      const sent = await floodFromOutside({ port: setting.to.port, ...FLOOD });
      assert.ok(sent >= LEAST_DATAGRAMS, `only ${sent} datagrams were sent`);
      assert.ok(heartbeat.longestGapMs < LONGEST_GAP_MS, `nothing else ran for ${heartbeat.longestGapMs} ms`);
      growth = memory() - before;
    }
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

  restart(): void {
    this.longestGapMs = 0;
    this.#lastMs = performance.now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
