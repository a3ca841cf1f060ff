/** A descriptor goes through a Unix socket and works at the other end. */
import assert from "node:assert/strict";
import { EventFd } from "../../sys/event_fd.ts";
import { Libc } from "../../sys/libc.ts";
import { UnixSockets } from "../../sys/unix_sockets.ts";

Deno.test({
  name: "unix sockets: bytes with a descriptor, bytes without, the end",
  ignore: Deno.build.os !== "linux",
  fn() {
    const directory = Deno.makeTempDirSync();
    const path = `${directory}/socket`;
    using libc = Libc.open();
    const sockets = new UnixSockets(libc);
    const listener = sockets.listen(path, 8);
    const sender = sockets.connect(path);
    const receiver = sockets.accept(listener);
    using counter = EventFd.create(libc);
    assert.equal(sockets.send(sender, new TextEncoder().encode("take it"), counter.descriptor), 7);
    const { length, descriptor } = sockets.receive(receiver);
    assert.equal(sockets.text(length), "take it");
    assert.notEqual(descriptor, counter.descriptor);
    EventFd.from(libc, descriptor).signal();
    assert.equal(counter.drain(), 1);
    sockets.send(sender, new TextEncoder().encode("x"));
    assert.deepEqual(sockets.receive(receiver), { length: 1, descriptor: -1 });
    sockets.close(sender);
    assert.deepEqual(sockets.receive(receiver), { length: 0, descriptor: -1 });
    for (const it of [descriptor, receiver, listener]) sockets.close(it);
    Deno.removeSync(directory, { recursive: true });
  },
});
