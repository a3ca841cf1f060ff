/** UDP of the native engine where it is not like others: workers that die, rules that live in another thread. */
import assert from "node:assert/strict";
import { SystemClock } from "../../../clock.ts";
import { DROP_REASON, type DropReason } from "../../../director/verdict.ts";
import type { ConnectionJudge } from "../../../engines/native/judgements.ts";
import { NativeEngine } from "../../../engines/native/native.ts";
import { shareOf } from "../../../engines/native/udp_lives.ts";
import { type Flow, PROTOCOL } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { endpointOf, HeardEvents } from "../../conformance/engines/heard_events.ts";
import { DirectorTraffic } from "../../conformance/engines/udp_director_traffic.ts";
import { nativeUdp } from "../../conformance/engines/udp_native_engine.ts";
import { bytesOf, EchoServer, UdpPeer } from "../../conformance/engines/udp_peers.ts";
import { openSetting, PLAIN } from "../../conformance/engines/udp_setting.ts";
import { TrainClient } from "../../conformance/engines/udp_train_client.ts";

const ignore = Deno.build.os !== "linux";

for (const workers of [1, 2]) {
  Deno.test({
    name: `native UDP: of ${workers} workers one dies: its sessions are lost and counted, the others' go on`,
    ignore,
    fn: async () => {
      await using setting = await openSetting(nativeUdp(workers));
      setting.addServer();
      await using clients = new AsyncDisposableStack();
      const peers = Array.from({ length: 16 }, () => clients.use(new UdpPeer()));
      for (const it of peers) await it.ask(bytesOf(1), setting.to);
      assert.ok(setting.engine instanceof NativeEngine);
      setting.engine.fail(1);
      await setting.events.until("the loss is told", () => setting.events.troubles.length > 0);
      const lost = setting.events.drops.length;
      assert.deepEqual(new Set(setting.events.drops), new Set(["worker-died"]));
      assert.equal(setting.engine.liveConnections(), 16 - lost);
      assert.equal(setting.traffic.entries, 16 - lost);
      assert.ok(workers === 1 ? lost === 16 : lost < 16);
      // Its clients come to its successor, by the same socket.
      for (const it of peers) assert.equal((await it.ask(bytesOf(5), setting.to)).length, 5);
      assert.equal(setting.engine.liveConnections(), 16);
    },
  });
}

/** Rules that refuse as they are told, and remember what they were asked. */
class Judge implements ConnectionJudge {
  readonly asked: { readonly bytes: number; readonly admission: number }[] = [];
  readonly ended: number[] = [];
  refuses: (asked: number) => boolean = () => false;

  admit(flow: Flow, admission: number, bytes: number, _nowMs: number): DropReason {
    assert.equal(flow.protocol, PROTOCOL.udp);
    const isRefused = this.refuses(this.asked.length);
    this.asked.push({ bytes, admission });
    return isRefused ? DROP_REASON.ruleDrop : DROP_REASON.none;
  }

  introduce(): void {}

  entryEnded(admission: number): void {
    this.ended.push(admission);
  }
}

/** An engine whose new connections are judged, before one echo server. */
class JudgedSetting implements AsyncDisposable {
  readonly judge = new Judge();
  readonly events = new HeardEvents();
  readonly server = new EchoServer();
  readonly traffic: DirectorTraffic;
  readonly engine: NativeEngine;
  to = { hostname: "127.0.0.1", port: 0 };
  readonly #onePacket: boolean;

  constructor(onePacket: boolean) {
    this.#onePacket = onePacket;
    this.traffic = new DirectorTraffic({ onePacket, workers: 1, expired: () => {} });
    this.traffic.addDestination(this.server.hostname, this.server.port);
    this.engine = new NativeEngine({
      director: this.traffic.director,
      events: this.events,
      clock: new SystemClock(),
      random: new SeededRandom(1),
      workers: 1,
      connectionEntries: 1_024,
      judge: this.judge,
      isOwnListener: () => false,
    });
  }

  async open(): Promise<void> {
    const { service } = this.traffic;
    const options = { ...PLAIN, onePacket: this.#onePacket };
    const listen = endpointOf("127.0.0.1:0");
    const { bound } = await this.engine.open({ service, name: "dns", protocol: "udp", listen, options });
    this.to = { hostname: "127.0.0.1", port: bound.port };
    this.engine.judge(true, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.stop();
    await this.server[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "native UDP: rules judge the first datagram, what comes meanwhile waits in order",
  ignore,
  fn: async () => {
    await using setting = new JudgedSetting(false);
    await setting.open();
    using client = new TrainClient(setting.to);
    const sent = Array.from({ length: 40 }, (_, i) => bytesOf(i < 20 ? 100 : i, i));
    client.send(sent, true);
    assert.deepEqual(await client.receive(40), sent);
    assert.deepEqual(setting.judge.asked.map((it) => it.bytes), [100]);
    assert.equal(setting.traffic.counts.inPackets, 40);
    await setting.engine.resetAll(0, "drained");
    assert.deepEqual(setting.judge.ended, setting.judge.asked.map((it) => it.admission));
  },
});

Deno.test({
  name: "native UDP: a refused datagram is one drop, the next one is judged by itself",
  ignore,
  fn: async () => {
    await using setting = new JudgedSetting(false);
    await setting.open();
    setting.judge.refuses = (asked) => asked < 3;
    using client = new TrainClient(setting.to);
    const sent = Array.from({ length: 8 }, (_, i) => bytesOf(10 + i, i));
    client.send(sent, false);
    assert.deepEqual(await client.receive(5), sent.slice(3));
    await setting.events.until("the drops", () => setting.events.drops.length === 3);
    assert.deepEqual(new Set(setting.events.drops), new Set(["rule-drop"]));
    assert.equal(setting.judge.asked.length, 4);
    assert.equal(setting.traffic.counts.inPackets, 5);
  },
});

Deno.test({
  name: "native UDP: in one-packet mode each datagram is judged, and over at once",
  ignore,
  fn: async () => {
    await using setting = new JudgedSetting(true);
    await setting.open();
    setting.judge.refuses = (asked) => asked % 2 === 1;
    using client = new TrainClient(setting.to);
    client.send(Array.from({ length: 10 }, (_, i) => bytesOf(50, i)), true);
    await client.receive(5);
    await setting.events.until("the drops", () => setting.events.drops.length === 5);
    assert.equal(setting.judge.asked.length, 10);
    assert.equal(setting.judge.ended.length, 5);
    assert.equal(setting.engine.liveConnections(), 1);
  },
});

Deno.test({
  name: "native UDP: the rules hear that a dead worker's connections are over",
  ignore,
  fn: async () => {
    await using setting = new JudgedSetting(false);
    await setting.open();
    using client = new TrainClient(setting.to);
    client.send([bytesOf(1)], false);
    await client.receive(1);
    assert.deepEqual(setting.judge.ended, []);
    setting.engine.fail(1);
    await setting.events.until("the loss is told", () => setting.events.troubles.length > 0);
    assert.equal(setting.judge.asked.length, 1);
    assert.deepEqual(setting.judge.ended, setting.judge.asked.map((it) => it.admission));
  },
});

Deno.test("native UDP: the shares of workers add up to the cap, and none is 0", () => {
  for (const [most, workers] of [[8_192, 3], [7, 4], [100, 1]] as const) {
    const shares = Array.from({ length: workers }, (_, i) => shareOf(most, i + 1, workers));
    assert.equal(shares.reduce((sum, it) => sum + it, 0), most);
  }
  assert.deepEqual([1, 2, 3].map((it) => shareOf(1, it, 3)), [1, 1, 1]);
});
