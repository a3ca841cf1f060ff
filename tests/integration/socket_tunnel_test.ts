/** TUN by sockets: streams and datagrams through a tunnel socket to `lvsd realserver --tunnel`. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { SystemClock } from "../../clock.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { TunnelPeer } from "../../realserver/tunnel_peer.ts";
import { Echo, exchange } from "./byte_exchange.ts";
import { DaemonSetting } from "./daemon_setting.ts";
import { randomBytes } from "./patterned_bytes.ts";

const KEY = "a shared key of more than sixteen bytes";
const HOST = "127.0.0.2";

/** A key file, an echo server, and a peer before it. */
class Scene implements AsyncDisposable {
  readonly keyFile: string;
  readonly echo = new Echo(HOST, 0);
  readonly refusals: string[] = [];
  readonly #clock = new SystemClock({ unref: true });
  peer: TunnelPeer | undefined;

  constructor(key = KEY) {
    this.keyFile = `${Deno.makeTempDirSync()}/tunnel.key`;
    Deno.writeTextFileSync(this.keyFile, key, { mode: 0o600 });
  }

  async open(port = 0, to: Endpoint = endpoint(this.echo.port)): Promise<TunnelPeer> {
    const key = new TextEncoder().encode(KEY);
    const refused = (message: string) => void this.refusals.push(message);
    return this.peer = await TunnelPeer.open({
      listen: endpoint(port),
      key,
      to,
      clock: this.#clock,
      refused,
    });
  }

  service(peerPort: number, more: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      name: "web",
      listen: `127.0.0.1:${this.echo.port}`,
      mode: "tun",
      healthCheck: "off",
      passive: "off",
      destinations: [{ address: HOST, tunnelTo: { port: peerPort, keyFile: this.keyFile } }],
      ...more,
    };
  }

  async closePeer(): Promise<void> {
    await this.peer?.[Symbol.asyncDispose]();
    this.peer = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closePeer();
    await this.echo[Symbol.asyncDispose]();
    Deno.removeSync(this.keyFile);
  }
}

function endpoint(port: number): Endpoint {
  return { address: IpAddress.parse(HOST), port };
}

async function started(service: Record<string, unknown>): Promise<DaemonSetting> {
  const setting = await DaemonSetting.start([service]);
  await setting.until("listens", () => setting.service("web").state === "listening");
  return setting;
}

Deno.test("tunnel socket: 1,000 exchanges over TCP, 0 failed; status says what it is", async () => {
  await using scene = new Scene();
  const { port } = await scene.open();
  await using setting = await started(scene.service(port));
  let failed = 0;
  for (let done = 0; done < 1_000; done += 20) {
    await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const payload = new TextEncoder().encode(`exchange ${done + i} ${"x".repeat(i * 50)}`);
      const answer = await exchange(scene.echo.port, payload);
      if (new TextDecoder().decode(answer) !== new TextDecoder().decode(payload)) failed++;
    }));
  }
  assert.equal(failed, 0);
  await setting.until("all ended", () => setting.service("web").ends["done"] === 1_000);
  const { emulated, emulatedReason, engine, engineReason } = setting.service("web");
  assert.deepEqual([emulated, engine], [true, "portable"]);
  assert.match(emulatedReason, /^tun needs the packet engine/);
  assert.match(engineReason, /tunnelTo/);
  assert.deepEqual(scene.refusals, []);
});

Deno.test("tunnel socket: 64 x 1 MiB both ways at once are equal", async () => {
  await using scene = new Scene();
  const { port } = await scene.open();
  await using _setting = await started(scene.service(port));
  const payload = randomBytes(1_024 * 1_024);
  await Promise.all(Array.from({ length: 64 }, async () => {
    const answer = await exchange(scene.echo.port, payload);
    assert.equal(answer.length, payload.length);
    assert.ok(answer.every((byte, i) => byte === payload[i]));
  }));
});

Deno.test("tunnel socket: 1,000 exchanges over UDP, 0 failed", async () => {
  await using scene = new Scene();
  const server = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  const served = (async () => {
    for await (const [datagram, from] of server) await server.send(datagram, from);
  })();
  const serverPort = (server.addr as Deno.NetAddr).port;
  const { port } = await scene.open(0, endpoint(serverPort));
  await using setting = await started(
    scene.service(port, { protocol: "udp", listen: `127.0.0.1:${scene.echo.port}` }),
  );
  const client = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  for (let i = 0; i < 1_000; i++) {
    const payload = randomBytes(1 + i % 1_400);
    await client.send(payload, { transport: "udp", hostname: "127.0.0.1", port: scene.echo.port });
    const [answer] = await client.receive();
    assert.deepEqual(answer, payload);
  }
  client.close();
  server.close();
  await served;
  const { counters } = setting.service("web");
  assert.deepEqual([counters.packetsIn, counters.packetsOut], [1_000, 1_000]);
});

Deno.test("tunnel socket: a wrong key is refused on both sides, with the reason", async () => {
  await using scene = new Scene("another key of more than sixteen bytes");
  const { port } = await scene.open();
  await using setting = await started(scene.service(port));
  await assert.rejects(exchange(scene.echo.port, new Uint8Array(1)), Deno.errors.ConnectionReset);
  assert.match(scene.refusals[0] ?? "", /^refused 127\.0\.0\.1:\d+: has another key$/);
  assert.equal(setting.service("web").ends["tunnel-refused"], 1);
});

Deno.test("tunnel socket: a wrong key opens no datagrams either", async () => {
  await using scene = new Scene("another key of more than sixteen bytes");
  const { port } = await scene.open();
  await using _setting = await started(scene.service(port, { protocol: "udp" }));
  const client = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  await client.send(new Uint8Array(10), { transport: "udp", hostname: "127.0.0.1", port: scene.echo.port });
  const lateMs = performance.now() + 5_000;
  while (scene.refusals.length === 0 && performance.now() < lateMs) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.match(scene.refusals[0] ?? "", /^refused a datagram of .*: it is foreign, or has another key$/);
  client.close();
});

const FOREIGN: readonly (readonly [what: string, bytes: Uint8Array<ArrayBuffer>, why: RegExp])[] = [
  ["garbage", randomBytes(300), /speaks no tunnel of lvsd/],
  ["another protocol", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), /speaks no tunnel of lvsd/],
  [
    "another version",
    new TextEncoder().encode(`LVSD-TUN\u0009${"x".repeat(9)}`),
    /speaks version 9 .*1 is wanted/,
  ],
];

for (const [what, bytes, why] of FOREIGN) {
  Deno.test(`tunnel socket: ${what} is refused by the peer, with a reason and a reset`, async () => {
    await using scene = new Scene();
    const { port } = await scene.open();
    using connection = await Deno.connect({ hostname: HOST, port });
    await connection.write(bytes);
    await assert.rejects(async () => {
      while (await connection.read(new Uint8Array(256)) !== null);
    }, Deno.errors.ConnectionReset);
    assert.match(scene.refusals[0] ?? "", why);
  });
}

Deno.test("tunnel socket: a foreign peer, a silent one, and one whose server is down are failed connects", async () => {
  await using scene = new Scene();
  const foreign = Deno.listen({ hostname: HOST, port: 0 });
  const served = (async () => {
    for await (const it of foreign) {
      await it.write(new TextEncoder().encode("220 mail.example ESMTP".repeat(3)));
    }
  })();
  {
    await using setting = await started(scene.service(foreign.addr.port));
    await assert.rejects(exchange(scene.echo.port, new Uint8Array(1)), Deno.errors.ConnectionReset);
    assert.equal(setting.service("web").ends["tunnel-refused"], 1);
  }
  foreign.close();
  await served;
  {
    await using setting = await started(scene.service(scene.echo.port, { connectTimeout: "50ms" }));
    await assert.rejects(exchange(scene.echo.port, new Uint8Array(1)), Deno.errors.ConnectionReset);
    assert.equal(setting.service("web").ends["connect-timeout"], 1);
  }
  const { port } = await scene.open(0, endpoint(1));
  await using setting = await started(scene.service(port));
  await assert.rejects(exchange(scene.echo.port, new Uint8Array(1)), Deno.errors.ConnectionReset);
  assert.equal(setting.service("web").ends["connect-refused"], 1);
});

Deno.test("tunnel socket: a reset of the server is a reset for the client", async () => {
  await using scene = new Scene();
  const server = createServer((socket) =>
    void socket.on("error", () => {}).once("data", () => socket.resetAndDestroy())
  );
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = await scene.open(0, endpoint((server.address() as AddressInfo).port));
  await using setting = await started(scene.service(port));
  await assert.rejects(exchange(scene.echo.port, new Uint8Array(1)), Deno.errors.ConnectionReset);
  assert.equal(setting.service("web").ends["server-reset"], 1);
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("tunnel socket: a peer that was restarted is used again", async () => {
  await using scene = new Scene();
  const { port } = await scene.open();
  await using _setting = await started(scene.service(port));
  const payload = randomBytes(1_000);
  assert.deepEqual(await exchange(scene.echo.port, payload), payload);
  await scene.closePeer();
  await assert.rejects(exchange(scene.echo.port, payload), Deno.errors.ConnectionReset);
  await scene.open(port);
  assert.deepEqual(await exchange(scene.echo.port, payload), payload);
});

Deno.test("tunnel socket: a key that others may read is not used", async () => {
  await using scene = new Scene();
  const { port } = await scene.open();
  Deno.chmodSync(scene.keyFile, 0o644);
  await using setting = await started(scene.service(port));
  await assert.rejects(exchange(scene.echo.port, new Uint8Array(1)), Deno.errors.ConnectionReset);
  assert.equal(setting.service("web").ends["tunnel-refused"], 1);
});

const CHECK = {
  type: "tcp",
  interval: "50ms",
  fastInterval: "50ms",
  downInterval: "50ms",
  timeout: "100ms",
  fall: 2,
  rise: 1,
};

Deno.test("tunnel socket: checks go through it, and a dead service behind it is told as such", async () => {
  await using scene = new Scene();
  const target = Deno.listen({ hostname: HOST, port: 0 });
  const served = (async () => {
    for await (const it of target) it.close();
  })();
  const { port } = await scene.open(0, endpoint(target.addr.port));
  await using setting = await DaemonSetting.start([scene.service(port, { healthCheck: CHECK })]);
  const health = () => setting.service("web").destinations[0]?.health;
  await setting.until("checked", () => health()?.detail === "connected");
  target.close();
  await served;
  // interval x fall + timeout = 200 ms is the promise; `until` waits no longer than 10 s.
  await setting.until("service dead", () => health()?.reason === "refused");
  assert.match(health()?.detail ?? "", /^the tunnel is in order/);
});

Deno.test("tunnel socket: a dead path is the reason that is told, and the way back", async () => {
  await using scene = new Scene();
  const { port } = await scene.open();
  await using setting = await DaemonSetting.start([scene.service(port, { healthCheck: CHECK })]);
  const health = () => setting.service("web").destinations[0]?.health;
  await setting.until("checked", () => health()?.detail === "connected");
  await scene.closePeer();
  await setting.until("path dead", () => health()?.reason === "path");
  assert.match(health()?.detail ?? "", /^tunnel: refused/);
  await scene.open(port);
  await setting.until("up again", () => health()?.up === true);
});
