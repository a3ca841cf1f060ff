/** Urgent data in a stream that goes through a pipe inside the kernel: the byte itself is left out, nothing else is. */
import assert from "node:assert/strict";
import { IpAddress } from "../../../net/address.ts";
import { ERRNO } from "../../../sys/errno.ts";
import { addressBehind, addressOf, Libc } from "../../../sys/libc.ts";
import { socketAddress } from "../../../sys/socket_address.ts";
import { SOCKET } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";
import { LIMITS } from "../../../limits.ts";
import { member } from "../../conformance/engines/tcp_native_engine.ts";
import { openSetting, type TcpSetting } from "../../conformance/engines/tcp_setting.ts";
import { eventually } from "../../conformance/engines/waits.ts";

/** MSG_OOB of sys/socket.h. */
const URGENT = 1;

/** A client that may say things urgently. */
class UrgentClient implements Disposable {
  readonly #libc = Libc.open();
  readonly #sockets = new Sockets(this.#libc);
  readonly #socket = this.#sockets.open(4, SOCKET.stream);

  constructor({ to }: TcpSetting) {
    const name = socketAddress({ address: IpAddress.parse(to.hostname), port: to.port });
    assert.equal(this.#libc.connect(this.#socket, addressOf(name), name.length), -ERRNO.EINPROGRESS);
  }

  async send(length: number, flags = 0): Promise<void> {
    const bytes = new Uint8Array(length).fill(0x61);
    const address = addressOf(bytes);
    for (let sent = 0; sent < length;) {
      await eventually("the socket takes bytes", () => {
        const result = this.#libc.send(this.#socket, addressBehind(address, sent), length - sent, flags);
        assert.ok(result >= 0 || result === -ERRNO.EAGAIN, `${result}`);
        sent += Math.max(0, result);
        return result > 0;
      });
    }
  }

  end(): void {
    this.#sockets.endWriting(this.#socket);
  }

  [Symbol.dispose](): void {
    this.#sockets.close(this.#socket);
    this.#libc[Symbol.dispose]();
  }
}

for (const isWhole of [false, true]) {
  Deno.test({
    name: `native: urgent data in bulk, ${isWhole ? "its end there at once" : "while it goes on"}`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      await using setting = await openSetting(member);
      const { server } = await setting.addServer();
      using client = new UrgentClient(setting);
      const served = await server.next();
      const bulk = 4 * LIMITS.bulkBytes;
      await client.send(bulk);
      if (!isWhole) await served.received(bulk);
      await client.send(1, URGENT);
      await client.send(1_000);
      if (!isWhole) await served.received(bulk + 1_000);
      client.end();
      assert.equal(await served.ended, "fin");
      assert.equal(served.receivedBytes, bulk + 1_000);
    },
  });
}
