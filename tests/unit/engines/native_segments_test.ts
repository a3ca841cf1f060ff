/** What the native engine saves of segments, and what that must not cost. */
import assert from "node:assert/strict";
import { spread } from "../../../bench/statistics.ts";
import { IpAddress } from "../../../net/address.ts";
import { ERRNO } from "../../../sys/errno.ts";
import { addressOf, Libc } from "../../../sys/libc.ts";
import { socketAddress } from "../../../sys/socket_address.ts";
import { MESSAGE, SOCKET } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";
import { member } from "../../conformance/engines/tcp_native_engine.ts";
import { openSetting, type TcpSetting } from "../../conformance/engines/tcp_setting.ts";
import { eventually } from "../../conformance/engines/waits.ts";

const ignore = Deno.build.os !== "linux";
const LOOPBACK = IpAddress.parse("127.0.0.1");
/** Connections at once: enough for most bursts to make the worker busy, and only a busy one lets handshakes wait. */
const BURST = 32;
const BURSTS = 9;

/** Sockets of this thread whose every segment is known, as those of node:net are not. */
class BarePeers implements Disposable {
  readonly #libc = Libc.open();
  readonly #sockets = new Sockets(this.#libc);
  readonly #listener = this.#sockets.listen({ address: LOOPBACK, port: 0 }, {
    backlog: 2 * BURST,
    options: [],
  });
  readonly #open: number[] = [this.#listener];
  readonly #received = new Uint8Array(1_024);
  readonly #receivedAddress = addressOf(this.#received);

  get port(): number {
    return this.#sockets.localEndpoint(this.#listener).port;
  }

  /** A client that says something at once, unless that is nothing. */
  connect(setting: TcpSetting, text: string): number {
    const socket = this.#sockets.open(4, SOCKET.stream);
    this.#open.push(socket);
    const name = socketAddress({ address: LOOPBACK, port: setting.to.port });
    assert.equal(this.#libc.connect(socket, addressOf(name), name.length), -ERRNO.EINPROGRESS);
    if (text !== "") this.send(socket, text);
    return socket;
  }

  send(socket: number, text: string, flags = 0): void {
    const bytes = new TextEncoder().encode(text);
    assert.equal(this.#libc.send(socket, addressOf(bytes), bytes.length, flags), bytes.length);
  }

  /** Sends text and the end of the stream in one segment. */
  sendLast(socket: number, text: string): void {
    this.send(socket, text, MESSAGE.more);
    this.#sockets.endWriting(socket);
  }

  accept(): Promise<number> {
    return this.#until(() => {
      const socket = this.#sockets.accept(this.#listener);
      if (socket >= 0) this.#open.push(socket);
      return socket;
    });
  }

  /** Resolves with the number of bytes of the next read, 0 at the end. */
  read(socket: number): Promise<number> {
    return this.#until(() => this.#libc.receive(socket, this.#receivedAddress, this.#received.length, 0));
  }

  /** Many clients at once, each with a question that it asks at once, and the server's sockets that they have reached. */
  async burst(setting: TcpSetting): Promise<{ client: number; served: number }[]> {
    const clients = Array.from({ length: BURST }, (_, i) => this.connect(setting, `question ${i}`));
    const pairs: { client: number; served: number }[] = [];
    for (const _ of clients) {
      const served = await this.accept();
      const question = new TextDecoder().decode(this.#received.subarray(0, await this.read(served)));
      pairs.push({ client: clients[Number(question.split(" ")[1])] ?? -1, served });
    }
    return pairs;
  }

  segmentsIn(socket: number): number {
    return this.#sockets.receivedSegments(socket);
  }

  async #until(call: () => number): Promise<number> {
    let result = -ERRNO.EAGAIN;
    await eventually("a socket has what is asked of it", () => {
      result = call();
      return result !== -ERRNO.EAGAIN;
    });
    return result;
  }

  [Symbol.dispose](): void {
    for (const it of this.#open) this.#sockets.close(it);
    this.#libc[Symbol.dispose]();
  }
}

/** The engine with one worker; its real server is the listener of the peers. */
function test(name: string, fn: (peers: BarePeers, setting: TcpSetting) => Promise<void>): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      await using setting = await openSetting(member);
      using peers = new BarePeers();
      setting.addDestination("127.0.0.1", peers.port);
      await fn(peers, setting);
    },
  });
}

test(
  "native: the last bytes and the end of the stream leave in one segment, as they came",
  async (peers, setting) => {
    const client = peers.connect(setting, "");
    peers.sendLast(await peers.accept(), "goodbye");
    assert.equal(await peers.read(client), 7);
    assert.equal(await peers.read(client), 0);
    assert.equal(peers.segmentsIn(client), 2, "SYN and ACK, then everything");
  },
);

test("native: a question to a busy worker goes with the end of the handshake", async (peers, setting) => {
  const segments: number[] = [];
  for (let i = 0; i < BURSTS; i++) {
    for (const { served } of await peers.burst(setting)) segments.push(peers.segmentsIn(served));
  }
  assert.equal(Math.min(...segments), 2, `SYN, then everything: ${segments}`);
});

test(
  "native: a quiet worker ends a handshake at once: the server wakes up beside it",
  async (peers, setting) => {
    const segments: number[] = [];
    for (let i = 0; i < 20; i++) {
      peers.connect(setting, "question");
      const served = await peers.accept();
      assert.equal(await peers.read(served), 8);
      segments.push(peers.segmentsIn(served));
    }
    assert.deepEqual(segments, Array(20).fill(3), "SYN, the end of the handshake, the question");
  },
);

test(
  "native: a server that speaks first does not wait for the end of the handshake",
  async (peers, setting) => {
    const tookMs: number[] = [];
    for (let i = 0; i < BURSTS; i++) {
      const startMs = performance.now();
      const clients = Array.from({ length: BURST }, () => peers.connect(setting, ""));
      for (const _ of clients) peers.send(await peers.accept(), "welcome");
      for (const client of clients) assert.equal(await peers.read(client), 7);
      tookMs.push(performance.now() - startMs);
    }
    // The kernel holds an acknowledgement back for 200 ms (TCP_DELACK_MAX), each time.
    assert.ok(spread(tookMs).median < 150, `${tookMs} ms`);
  },
);

test(
  "native: a server with Nagle's algorithm does not wait with the second piece of its first answer",
  async (peers, setting) => {
    const tookMs: number[] = [];
    for (let i = 0; i < BURSTS; i++) {
      const pairs = await peers.burst(setting);
      const startMs = performance.now();
      for (const { served } of pairs) {
        peers.send(served, "head");
        peers.send(served, "body");
      }
      for (const { client } of pairs) {
        for (let bytes = 0; bytes < 8;) bytes += await peers.read(client);
      }
      tookMs.push(performance.now() - startMs);
    }
    // The kernel holds an acknowledgement back for 40 ms (TCP_DELACK_MIN), each time.
    assert.ok(spread(tookMs).median < 30, `${tookMs} ms`);
  },
);
