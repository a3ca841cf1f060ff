/**
 * Both peers slow at once, one of them with nothing left to say: the end of its stream waits unread while bytes wait to be
 * sent to it. That must not be taken for a broken connection.
 */
import assert from "node:assert/strict";
import { openSetting, type TcpFamilyMember, type TcpSetting, testOf } from "./tcp_setting.ts";

const KIB = 1_024;

interface Pair {
  readonly client: Deno.TcpConn;
  readonly served: Deno.TcpConn;
}

/** How many bytes a way holds while nobody reads at its end: what has been passed on when nothing moves any more. */
async function capacityOfWay(setting: TcpSetting, from: Deno.TcpConn): Promise<number> {
  const passedOn = () => {
    const { inBytes, outBytes } = setting.director.serviceView(setting.service).statistics;
    return inBytes + outBytes;
  };
  let isStopped = false;
  const filling = (async () => {
    while (!isStopped) await from.write(new Uint8Array(32 * KIB));
  })();
  let before = -1;
  for (let now = passedOn(); now > before || now === 0; now = passedOn()) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  isStopped = true;
  from.close();
  await filling.catch(() => {});
  return before;
}

async function sendAll(conn: Deno.TcpConn, bytes: number): Promise<void> {
  const chunk = new Uint8Array(32 * KIB);
  for (let sent = 0; sent < bytes;) sent += await conn.write(chunk.subarray(0, bytes - sent));
  await conn.closeWrite();
}

async function receiveAll(conn: Deno.TcpConn): Promise<number> {
  const buffer = new Uint8Array(64 * KIB);
  let bytes = 0;
  for (;;) {
    const length = await conn.read(buffer);
    if (length === null) return bytes;
    bytes += length;
  }
}

export function crossedTests(member: TcpFamilyMember): void {
  const test = testOf(member);
  for (const ending of ["client", "server"] as const) {
    test(`the ${ending}'s end of stream, unread behind a full way, breaks nothing`, async () => {
      await using setting = await openSetting(member);
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      setting.addDestination("127.0.0.1", listener.addr.port);
      const pair = async (): Promise<Pair> => {
        const client = await Deno.connect(setting.to);
        return { client, served: await listener.accept() };
      };
      const probe = await pair();
      const [from, to] = ending === "client" ? [probe.client, probe.served] : [probe.served, probe.client];
      const capacity = await capacityOfWay(setting, from);
      to.close();
      // One read is 64 KiB at most: some of these sizes end with the very read that finds the way full.
      const sizes = Array.from({ length: 40 }, (_, i) => capacity + (i - 24) * 8 * KIB);
      const answerBytes = capacity + 1_024 * KIB;
      const run = async (sent: number, { client, served }: Pair) => {
        const [first, second] = ending === "client" ? [client, served] : [served, client];
        const sending = sendAll(first, sent);
        await new Promise((resolve) => setTimeout(resolve, 300));
        const answering = sendAll(second, answerBytes);
        await new Promise((resolve) => setTimeout(resolve, 300));
        const received = await Promise.all([receiveAll(second), receiveAll(first), sending, answering]);
        client.close();
        served.close();
        assert.deepEqual(received.slice(0, 2), [sent, answerBytes]);
      };
      const running = [];
      for (const size of sizes) running.push(run(size, await pair()));
      await Promise.all(running);
      await setting.engine.whenIdle();
    });
  }
}
