/** A server that answers and breaks off while its client is still sending: the answer comes before the reset. */
import assert from "node:assert/strict";
import { IpAddress } from "../../../net/address.ts";
import { ERRNO } from "../../../sys/errno.ts";
import { addressOf, Libc } from "../../../sys/libc.ts";
import { socketAddress } from "../../../sys/socket_address.ts";
import { SOCKET } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";
import { member } from "../../conformance/engines/tcp_native_engine.ts";
import { openSetting } from "../../conformance/engines/tcp_setting.ts";
import { eventually } from "../../conformance/engines/waits.ts";

const LOOPBACK = IpAddress.parse("127.0.0.1");
const ROUNDS = 40;
const BULK_BYTES = 4_194_304;
const ANSWER = "enough";

Deno.test({
  name: "native: what a server said before it broke off reaches a client that is still sending",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using setting = await openSetting(member);
    using libc = Libc.open();
    const sockets = new Sockets(libc);
    const listener = sockets.listen({ address: LOOPBACK, port: 0 }, { backlog: 8, options: [] });
    setting.addDestination("127.0.0.1", sockets.localEndpoint(listener).port);
    const buffer = new Uint8Array(262_144);
    const address = addressOf(buffer);
    const answer = new TextEncoder().encode(ANSWER);
    const name = socketAddress({ address: LOOPBACK, port: setting.to.port });
    const heard: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const client = sockets.open(4, SOCKET.stream);
      assert.equal(libc.connect(client, addressOf(name), name.length), -ERRNO.EINPROGRESS);
      let served = -1;
      await eventually("it is served", () => (served = sockets.accept(listener)) >= 0);
      // Without a pause, so that the worker has more to send when the server breaks off.
      for (let read = 0; read < BULK_BYTES;) {
        libc.send(client, address, buffer.length, 0);
        read += Math.max(0, libc.receive(served, address, buffer.length, 0));
      }
      assert.equal(libc.send(served, addressOf(answer), answer.length, 0), answer.length);
      sockets.reset(served);
      let length = 0;
      await eventually("it is over", () => (length = libc.receive(client, address, 16, 0)) !== -ERRNO.EAGAIN);
      heard.push(length < 0 ? `${length}` : new TextDecoder().decode(buffer.subarray(0, length)));
      sockets.close(client);
    }
    sockets.close(listener);
    assert.deepEqual(heard, Array(ROUNDS).fill(ANSWER));
  },
});
