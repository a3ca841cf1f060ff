/** A client that reads slowly but steadily is not idle, although nothing new is read from the server meanwhile. */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { IpAddress } from "../../../net/address.ts";
import { ERRNO } from "../../../sys/errno.ts";
import { addressOf, Libc } from "../../../sys/libc.ts";
import { socketAddress } from "../../../sys/socket_address.ts";
import { LEVEL, SOCKET, SOCKET_OPTION } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";
import { member } from "../../conformance/engines/tcp_native_engine.ts";
import { openSetting, type TcpSetting } from "../../conformance/engines/tcp_setting.ts";
import { eventually } from "../../conformance/engines/waits.ts";

const IDLE_MS = 60_000;
const MIB = 1_048_576;
/** The kernel's queues on the way to the client are much smaller, and a pipe holds four times as much. */
const QUEUE_BYTES = 16_384;
const STEP_BYTES = 262_144;

/** The engine runs in this process: its sockets inherit a small queue from its listener. */
function shortenQueue({ to }: TcpSetting): void {
  using libc = Libc.open();
  const sockets = new Sockets(libc);
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    try {
      if (sockets.localEndpoint(descriptor).port !== to.port) continue;
    } catch {
      continue;
    }
    sockets.setOption(descriptor, LEVEL.socket, SOCKET_OPTION.sendBuffer, QUEUE_BYTES);
  }
}

class SlowClient implements Disposable {
  receivedBytes = 0;
  readonly #libc = Libc.open();
  readonly #sockets = new Sockets(this.#libc);
  readonly #socket = this.#sockets.open(4, SOCKET.stream);
  readonly #buffer = new Uint8Array(16_384);
  readonly #address = addressOf(this.#buffer);

  constructor({ to }: TcpSetting) {
    this.#sockets.setOption(this.#socket, LEVEL.socket, SOCKET_OPTION.receiveBuffer, QUEUE_BYTES);
    const name = socketAddress({ address: IpAddress.parse(to.hostname), port: to.port });
    assert.equal(this.#libc.connect(this.#socket, addressOf(name), name.length), -ERRNO.EINPROGRESS);
  }

  /** Reads so many bytes. */
  async read(length: number): Promise<void> {
    const end = this.receivedBytes + length;
    await eventually(`${length} bytes more`, () => {
      let got = 1;
      while (got > 0 && this.receivedBytes < end) {
        const most = Math.min(this.#buffer.length, end - this.receivedBytes);
        got = this.#libc.receive(this.#socket, this.#address, most, 0);
        if (got > 0) this.receivedBytes += got;
      }
      assert.ok(got > 0 || got === -ERRNO.EAGAIN, `read ended with ${got} after ${this.receivedBytes} bytes`);
      return this.receivedBytes === end;
    });
  }

  [Symbol.dispose](): void {
    this.#sockets.close(this.#socket);
    this.#libc[Symbol.dispose]();
  }
}

const WHOSE = { "the service's": { idleTimeoutMs: IDLE_MS }, "the director's": {} };

for (const [whose, options] of Object.entries(WHOSE)) {
  Deno.test({
    name: `native: a client that takes what a pipe holds bit by bit is not idle, by ${whose} time-out`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const clock = new ManualClock();
      await using setting = await openSetting(member, { clock, options });
      if (!("idleTimeoutMs" in options)) setting.director.setTimeouts({ tcpMs: IDLE_MS });
      const { server } = await setting.addServer();
      shortenQueue(setting);
      using client = new SlowClient(setting);
      const served = await server.next();
      served.socket.write(new Uint8Array(16 * MIB));
      await client.read(8 * MIB);
      // Whatever the pipe holds by now, in so many steps there are four in a row without a read from the server.
      for (let i = 0; i < 8; i++) {
        clock.advance(IDLE_MS * 2 / 3);
        await client.read(STEP_BYTES);
      }
      assert.deepEqual(setting.events.endings, []);
      assert.equal(setting.engine.liveConnections(), 1);
    },
  });
}
