/** Destinations that do not answer, and services that have none. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { ManualClock } from "../../../clock.ts";
import { PeerServer } from "./tcp_peers.ts";
import { openSetting, type TcpFamilyMember, type TcpSetting, testOf } from "./tcp_setting.ts";
import { eventually } from "./waits.ts";

/** A port of 127.0.0.1 that refuses: just now it was somebody's. */
async function refusingPort(): Promise<number> {
  const server = await PeerServer.listen();
  await server.close();
  return server.port;
}

/** A listener whose queue is full: the kernel drops the SYN of whoever comes now, and connects hang. */
class SilentServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  readonly #queued: Socket[] = [];

  static async open(): Promise<SilentServer> {
    const server = new SilentServer();
    while (await server.#takesOne());
    return server;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  #takesOne(): Promise<boolean> {
    const socket = connect({ host: "127.0.0.1", port: this.port });
    this.#queued.push(socket);
    socket.on("error", () => {});
    return new Promise((resolve) => {
      // In two steps: where the processor was elsewhere, an answer that is there already is heard of in between.
      let late: ReturnType<typeof setTimeout> = setTimeout(() => {
        late = setTimeout(() => resolve(false), 20);
      }, 100);
      socket.once("connect", () => {
        clearTimeout(late);
        resolve(true);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    const open = this.#queued.filter((it) => !it.closed);
    const closed = open.map((it) => new Promise((resolve) => it.once("close", resolve)));
    for (const it of this.#queued) it.destroy();
    await Promise.all(closed);
  }
}

export function failureTests(member: TcpFamilyMember): void {
  const test = testOf(member);

  test("no destination: the client is reset, and it is counted", async () => {
    await using setting = await openSetting(member);
    const client = await setting.connect();
    assert.equal(await client.ended, "reset");
    await setting.events.until("one ended", () => setting.events.endings.length === 1);
    const [ending] = setting.events.endings;
    assert.deepEqual([ending?.reason, ending?.destination], ["no-destination", ""]);
    assert.match(ending?.client ?? "", /^127\.0\.0\.1:\d+$/);
    assert.equal(setting.director.connectionCount, 0);
  });

  test("refused: without retries the client is reset", async () => {
    await using setting = await openSetting(member);
    const destination = setting.addDestination("127.0.0.1", await refusingPort());
    const client = await setting.connect();
    assert.equal(await client.ended, "reset");
    await setting.events.until("one ended", () => setting.events.endings.length === 1);
    assert.equal(setting.events.endings[0]?.reason, "connect-refused");
    assert.deepEqual(setting.events.failures, [{ destination, reason: "connect-refused" }]);
    await setting.expireAll();
    const { activeConns, inactiveConns } = setting.director.destinationView(destination);
    assert.deepEqual([activeConns, inactiveConns], [0, 0]);
  });

  test("refused: as many others are asked as the service retries, what the client sent goes to them", async () => {
    await using setting = await openSetting(member, { options: { retries: 2 } });
    const dead = [
      setting.addDestination("127.0.0.1", await refusingPort()),
      setting.addDestination("127.0.0.1", await refusingPort()),
    ];
    const { server, destination } = await setting.addServer();
    for (let i = 0; i < 6; i++) {
      const client = await setting.connect();
      client.send("sent before anybody answered");
      const served = await server.next();
      await served.received(28);
      assert.equal(served.text, "sent before anybody answered");
      assert.equal(setting.director.destinationView(destination).activeConns, i + 1);
    }
    await setting.events.until("it is told", () => setting.events.successes.length > 0);
    assert.deepEqual(new Set(setting.events.successes), new Set([destination]));
    assert.deepEqual(new Set(setting.events.failures.map((it) => it.destination)), new Set(dead));
    for (const it of dead) assert.equal(setting.director.destinationView(it).activeConns, 0);
  });

  test("refused: more retries than destinations end with a reset", async () => {
    await using setting = await openSetting(member, { options: { retries: 5 } });
    setting.addDestination("127.0.0.1", await refusingPort());
    setting.addDestination("127.0.0.1", await refusingPort());
    const client = await setting.connect();
    assert.equal(await client.ended, "reset");
    await setting.events.until("both failed", () => setting.events.failures.length === 2);
  });

  test("a connect that hangs is given up after the service's time, another server takes over", async () => {
    await using silent = await SilentServer.open();
    await using setting = await openSetting(member, { options: { retries: 1, connectTimeoutMs: 150 } });
    const hanging = setting.addDestination("127.0.0.1", silent.port);
    const { server } = await setting.addServer();
    for (let i = 0; i < 2; i++) {
      const client = await setting.connect();
      client.send("hello");
      await (await server.next()).received(5);
    }
    await setting.events.until("one failed", () => setting.events.failures.length > 0);
    assert.deepEqual(setting.events.failures, [{ destination: hanging, reason: "connect-timeout" }]);
  });

  for (const [what, unread] of [["", 0], [", also behind what it had sent", 1_000]] as const) {
    test(`a client that resets while the connect hangs ends it${what}`, async () => {
      await using silent = await SilentServer.open();
      await using setting = await openSetting(member, { options: { connectTimeoutMs: 60_000 } });
      setting.addDestination("127.0.0.1", silent.port);
      const client = await setting.connect();
      await live(setting, 1);
      client.send("x".repeat(unread));
      client.reset();
      await setting.engine.whenIdle();
      assert.equal(setting.events.endings[0]?.reason, "client-reset");
      assert.deepEqual(setting.events.failures, []);
    });
  }

  test("a client that half-closed while the connect hung gets its answer", async () => {
    await using setting = await openSetting(member, { options: { retries: 1, connectTimeoutMs: 150 } });
    await using silent = await SilentServer.open();
    setting.addDestination("127.0.0.1", silent.port);
    const { server } = await setting.addServer();
    for (let i = 0; i < 2; i++) {
      const client = await setting.connect();
      client.end("question");
      const served = await server.next();
      assert.equal(await served.ended, "fin");
      assert.equal(served.text, "question");
      served.end("answer");
      assert.equal(await client.ended, "fin");
      assert.equal(client.text, "answer");
    }
  });

  test("a destination that is a listener of our own gets no traffic", async () => {
    const own: number[] = [];
    await using setting = await openSetting(member, {
      isOwnListener: (protocol, { address, port }) =>
        protocol === "tcp" && `${address}` === "127.0.0.1" && own.includes(port),
    });
    own.push(setting.open.bound.port);
    const destination = setting.addDestination("127.0.0.1", setting.open.bound.port);
    const client = await setting.connect();
    assert.equal(await client.ended, "reset");
    await setting.events.until("one ended", () => setting.events.endings.length === 1);
    assert.equal(setting.events.endings[0]?.reason, "loop");
    assert.deepEqual(setting.events.failures, [{ destination, reason: "loop" }]);
  });

  test("quiet connections are reset after the idle time-out, busy ones go on", async () => {
    const clock = new ManualClock(1_000);
    await using setting = await openSetting(member, { clock, options: { idleTimeoutMs: 8_000 } });
    const { server } = await setting.addServer();
    const quiet = await setting.pair(server);
    const busy = await setting.pair(server);
    for (let i = 0; i < 4; i++) {
      clock.advance(3_000);
      const [from, to] = i % 2 === 0 ? [busy.client, busy.served] : [busy.served, busy.client];
      const before = to.receivedBytes;
      from.send("tick");
      await to.received(before + 4);
    }
    assert.deepEqual([await quiet.client.ended, await quiet.served.ended], ["reset", "reset"]);
    await setting.events.until("one ended", () => setting.events.endings.length > 0);
    assert.deepEqual(setting.events.endings.map((it) => it.reason), ["idle-timeout"]);
    assert.equal(setting.engine.liveConnections(), 1);
    // An eighth of the time-out is how late it may be noticed.
    clock.advance(9_000);
    assert.equal(await busy.client.ended, "reset");
    await setting.engine.stop();
    assert.equal(clock.pendingTimers, 0);
  });
}

async function live(setting: TcpSetting, count: number): Promise<void> {
  await eventually(`${count} live connections`, () => setting.engine.liveConnections() >= count);
}
