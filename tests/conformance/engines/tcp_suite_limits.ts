/** Bounded memory and bounded descriptors, each measured in a process of its own. */
import assert from "node:assert/strict";
import { countDescriptors } from "../../../engines/portable/descriptors.ts";
import { peerTest } from "../../peers/required_peers.ts";
import { EngineProcess, ProgramProcess } from "./tcp_own_process.ts";
import { connectPeer, type Peer, PeerServer } from "./tcp_peers.ts";
import { IS_PROOF, type TcpFamilyMember, testOf } from "./tcp_setting.ts";

const MIB = 1_048_576;
const SLOW_BYTES = IS_PROOF ? 1_024 * MIB : 192 * MIB;
const GROWTH_BYTES = 8 * MIB;

/** Two descriptors of the engine for each, with an eighth and some more to spare: 10,000 need a limit of 23,200. */
const DESCRIPTORS = countDescriptors().limit;
const IDLE_CONNECTIONS = Math.min(IS_PROOF ? 10_000 : 1_500, Math.floor((DESCRIPTORS * 7 / 8 - 200) / 2));
const IDLE_PEERS = new URL("./tcp_idle_peers.ts", import.meta.url).pathname;

const listen = "127.0.0.1:0";

/** Sends as fast as it is let. */
async function flood(conn: Deno.TcpConn, bytes: number): Promise<void> {
  const chunk = new Uint8Array(65_536);
  for (let sent = 0; sent < bytes;) sent += await conn.write(chunk.subarray(0, bytes - sent));
  await conn.closeWrite();
}

/** Reads to the end, now and then not at all for a while. */
async function readSlowly(conn: Deno.TcpConn, pauseEachBytes: number): Promise<number> {
  const buffer = new Uint8Array(262_144);
  let bytes = 0;
  let nextPause = pauseEachBytes;
  for (;;) {
    const length = await conn.read(buffer);
    if (length === null) return bytes;
    bytes += length;
    if (bytes < nextPause) continue;
    nextPause += pauseEachBytes;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function limitTests(member: TcpFamilyMember): void {
  const test = testOf(member);

  for (const way of ["download", "upload"] as const) {
    test(`${SLOW_BYTES / MIB} MiB to a slow reader (${way}): memory grows less than 8 MiB`, async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const destinations = [{ host: "127.0.0.1", port: listener.addr.port }];
      await using engine = await EngineProcess.start({ module: member.module, listen, destinations });
      const connect = async () => {
        const client = await Deno.connect({ port: engine.port });
        return { client, served: await listener.accept() };
      };
      const transfer = async (
        peers: Awaited<ReturnType<typeof connect>>,
        bytes: number,
        pauseEachBytes: number,
      ) => {
        using client = peers.client;
        using served = peers.served;
        const [from, to] = way === "download" ? [served, client] : [client, served];
        const sending = flood(from, bytes);
        assert.equal(await readSlowly(to, pauseEachBytes), bytes);
        await sending;
      };
      // Fast first, in every worker: what a running engine holds anyway is not counted. One begins while others go on.
      const ways = 4 * (member.workers ?? 1);
      const first: Promise<void>[] = [];
      for (let i = 0; i < ways; i++) first.push(transfer(await connect(), 128 * MIB / ways, Infinity));
      await Promise.all(first);
      const before = engine.memoryBytes();
      let most = 0;
      let isDone = false;
      const transferring = transfer(await connect(), SLOW_BYTES, 4 * MIB).finally(() => isDone = true);
      while (!isDone) {
        most = Math.max(most, engine.memoryBytes());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await transferring;
      const grown = (most - before) / MIB;
      assert.ok(most - before < GROWTH_BYTES, `grown by ${grown.toFixed(1)} MiB`);
    });
  }

  test(`${IDLE_CONNECTIONS} idle connections are held, and all of them still work`, async () => {
    await using peers = await ProgramProcess.start(IDLE_PEERS);
    const destinations = [{ host: "127.0.0.1", port: Number(await peers.nextLine()) }];
    const wish = { module: member.module, listen, destinations };
    await using engine = await EngineProcess.start(wish);
    const before = engine.memoryBytes();
    const count = `${IDLE_CONNECTIONS}`;
    assert.equal(await peers.ask(`${engine.port} ${count}`), count);
    assert.equal((await engine.report()).live, IDLE_CONNECTIONS);
    const perConnection = (engine.memoryBytes() - before) / IDLE_CONNECTIONS / 1_024;
    assert.ok(perConnection < 40, `${perConnection.toFixed(1)} KiB each`);
    await assertRests(engine, "idle ones cost nothing");
    assert.equal(await peers.ask("again"), count);
    await peers[Symbol.asyncDispose]();
    const { ended } = await engine.until("all gone", (it) => it.live === 0, 30_000);
    assert.equal(Object.values(ended).reduce((sum, it) => sum + it, 0), IDLE_CONNECTIONS);
  });

  test("out of descriptors: old connections go on, new ones are refused, and it recovers by itself", async () => {
    const server = await PeerServer.listen();
    const destinations = [{ host: "127.0.0.1", port: server.port }];
    const wish = { module: member.module, listen, destinations };
    const clients: Peer[] = [];
    {
      await using engine = await EngineProcess.start(wish, { descriptors: 96 });
      for (let i = 0; i < 80; i++) clients.push(await connectPeer("127.0.0.1", engine.port));
      const { live } = await engine.until(
        "refusals and live ones make 80",
        ({ live, dropped }) => live + (dropped["no-room"] ?? 0) === 80,
      );
      assert.ok(live > 5 && live < 48, `${live} live`);
      const { troubles } = await engine.report();
      assert.match(troubles[0] ?? "", /descriptor/);
      const served: Peer[] = [];
      for (let i = 0; i < live; i++) served.push(await server.next());
      for (const it of clients) if (!it.socket.destroyed) it.send("still there");
      for (const it of served) await it.received(11);
      await assertRests(engine, "it does not spin");
      for (const it of clients) it.reset();
      await engine.until("all gone", (it) => it.live === 0);
      await assertServes(engine.port, server);
    }
    for (const it of clients) await it.closed;
    await server.close();
  });

  test("descriptors used up by others, even for a moment: it accepts again afterwards", async () => {
    const server = await PeerServer.listen();
    const destinations = [{ host: "127.0.0.1", port: server.port }];
    const clients: Peer[] = [];
    {
      const wish = { module: member.module, listen, destinations };
      await using engine = await EngineProcess.start(wish, { descriptors: 96 });
      const old = await connectPeer("127.0.0.1", engine.port);
      clients.push(old);
      const served = await server.next();
      await engine.report("take");
      clients.push(await connectPeer("127.0.0.1", engine.port));
      old.send("still there");
      await served.received(11);
      const { troubles } = await engine.until("trouble is told", (it) => it.troubles.length > 0);
      assert.match(troubles[0] ?? "", /no file descriptor is left/);
      await engine.report("give");
      await assertServes(engine.port, server);
    }
    for (const it of clients) it.destroy();
    for (const it of clients) await it.closed;
    await server.close();
  });

  peerTest(
    `tcp ${member.name}: a port below 1024 without permission says what to do`,
    ["setpriv"],
    async () => {
      // Root without this one capability is refused like anybody; others have not got it.
      const isRoot = Deno.uid() === 0;
      const wrapper = isRoot ? ["setpriv", "--bounding-set=-net_bind_service"] : [];
      const wish = { module: member.module, listen: "127.0.0.1:81", destinations: [] };
      await assert.rejects(
        EngineProcess.start(wish, { wrapper }),
        /PERMISSION_DENIED: .*below 1024.*setcap.*from 1024/,
      );
    },
  );
}

/** Comes to rest within a few seconds: what a young process still compiles is over by then, what spins is not. */
async function assertRests(engine: EngineProcess, what: string): Promise<void> {
  const spentMs: number[] = [];
  while (spentMs.length < 8) {
    const busyBefore = engine.processorMs();
    await new Promise((resolve) => setTimeout(resolve, 500));
    spentMs.push(engine.processorMs() - busyBefore);
    if ((spentMs.at(-1) ?? 0) < 100) return;
  }
  assert.fail(`${what}; of 500 ms each it was busy for ${spentMs}`);
}

/** New connections work, within the time that a recovery may take. */
async function assertServes(port: number, server: PeerServer): Promise<void> {
  server.greeting = "hello";
  const untilMs = performance.now() + 5_000;
  for (;;) {
    const client = await connectPeer("127.0.0.1", port);
    const late = setTimeout(() => client.destroy(), 500);
    const isServed = await client.received(5).then(() => true, () => false);
    clearTimeout(late);
    client.destroy();
    await client.closed;
    if (isServed) return;
    if (performance.now() > untilMs) throw new Error("no new connection was served in 5 s");
  }
}
