/** Bytes both ways: all of them, in order, over IPv4 and IPv6, whatever the pace of the peers. */
import assert from "node:assert/strict";
import { SeededRandom } from "../../../net/random.ts";
import { type ReceivedStream, receiveStream, sendStream, streamBlock } from "./byte_stream.ts";
import {
  IS_PROOF,
  openSetting,
  seeded,
  type TcpFamilyMember,
  type TcpSetting,
  testOf,
} from "./tcp_setting.ts";

const MIB = 1_048_576;
const SIZES = IS_PROOF ? { connections: 64, bytes: 16 * MIB } : { connections: 16, bytes: MIB };

interface Exchange {
  readonly connections: number;
  /** Payload each way of each connection. */
  readonly bytes: number;
  readonly seed: number;
  /** Longest pause of a reader, 0 for readers that never pause. */
  readonly clientPauseMs?: number;
  readonly serverPauseMs?: number;
  /** Both sides read nothing for this long at first, so that both ways are full. */
  readonly deafMs?: number;
}

/** Real server and clients that each send their own stream; everybody half-closes when all is sent. */
async function exchange(setting: TcpSetting, wish: Exchange): Promise<ReceivedStream[]> {
  const { bytes, seed, clientPauseMs = 0, serverPauseMs = 0 } = wish;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  setting.addDestination("127.0.0.1", listener.addr.port);
  const upload = streamBlock(seed);
  const download = streamBlock(seed + 1);
  const random = (extra: number) => new SeededRandom(seed * 1_000 + extra);
  const serve = async (i: number, accepted: Deno.TcpConn) => {
    using conn = accepted;
    const sending = sendStream(conn, bytes, download, random(i + 100));
    await pause(wish.deafMs);
    const receiving = receiveStream(conn, upload, { random: random(i), ms: serverPauseMs });
    const [received] = await Promise.all([receiving, sending]);
    return received;
  };
  const ask = async (i: number) => {
    using conn = await Deno.connect(setting.to);
    const sending = sendStream(conn, bytes, upload, random(i + 200));
    await pause(wish.deafMs);
    const receiving = receiveStream(conn, download, { random: random(i + 300), ms: clientPauseMs });
    const [received] = await Promise.all([receiving, sending]);
    return received;
  };
  const all = Array.from({ length: wish.connections }, (_, i) => ask(i));
  for (let i = 0; i < wish.connections; i++) all.push(serve(i, await listener.accept()));
  return await Promise.all(all);
}

async function pause(ms = 0): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

function assertIntact(received: readonly ReceivedStream[], { connections, bytes, seed }: Exchange): void {
  assert.equal(received.length, connections * 2);
  for (const it of received) assert.deepEqual(it, { bytes, wrong: 0 }, `seed ${seed}`);
}

export function relayTests(member: TcpFamilyMember): void {
  const test = testOf(member);
  const intact = (what: string, wish: Omit<Exchange, "seed">) =>
    seeded(test, what, async (seed) => {
      const whole = { ...wish, seed };
      // The peers of this test keep the event loop that they share with the engine busy for seconds.
      await using setting = await openSetting(member, { options: { connectTimeoutMs: 60_000 } });
      assertIntact(await exchange(setting, whole), whole);
      await setting.events.until("all done", () => setting.events.endings.length === wish.connections);
      for (const it of setting.events.endings) {
        assert.deepEqual([it.reason, it.bytesIn, it.bytesOut], ["done", wish.bytes, wish.bytes]);
      }
    });
  const { connections, bytes } = SIZES;
  intact(`${connections} x ${bytes / MIB} MiB of random bytes both ways: 0 wrong`, { connections, bytes });
  intact("readers that pause, on both sides: 0 wrong", {
    connections: 8,
    bytes: 4 * MIB,
    clientPauseMs: 4,
    serverPauseMs: 4,
  });
  // Sizes around what the buffers on the way hold: the ends of the streams wait in every place that they can.
  for (const mib of IS_PROOF ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20] : [2, 7, 12]) {
    intact(`both ways full at once, ${mib} MiB, then read slowly: 0 wrong`, {
      connections: 6,
      bytes: mib * MIB,
      deafMs: 200,
      clientPauseMs: 2,
      serverPauseMs: 2,
    });
  }
}
