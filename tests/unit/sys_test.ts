/** The C library by FFI: wake-ups, the layout of epoll events, and errors as numbers. */
import assert from "node:assert/strict";
import { SystemError } from "../../errors.ts";
import { EPOLL, Epoll } from "../../sys/epoll.ts";
import { ERRNO } from "../../sys/errno.ts";
import { EventFd } from "../../sys/event_fd.ts";
import { Libc } from "../../sys/libc.ts";

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "sys: signals of an eventfd add up, and draining sets it back",
  ignore,
  fn: () => {
    using libc = Libc.open();
    using bell = EventFd.create(libc);
    using sameBell = EventFd.from(libc, bell.descriptor);
    assert.equal(bell.drain(), 0);
    bell.signal();
    sameBell.signal();
    assert.equal(bell.drain(), 2);
    assert.equal(bell.drain(), 0);
  },
});

Deno.test({
  name: "sys: epoll tells which descriptors are ready, by tags of all 32 bits",
  ignore,
  fn: () => {
    using libc = Libc.open();
    using epoll = new Epoll(libc, 8);
    using first = EventFd.create(libc);
    using second = EventFd.create(libc);
    using silent = EventFd.create(libc);
    epoll.add(first.descriptor, EPOLL.in, 0xffff_fffe);
    epoll.add(second.descriptor, EPOLL.in, 7);
    epoll.add(silent.descriptor, EPOLL.in, 8);
    assert.equal(epoll.wait(0), 0);
    first.signal();
    second.signal();
    assert.equal(epoll.wait(-1), 2);
    const seen = [0, 1].map((index) => [epoll.tag(index), epoll.happened(index)]);
    assert.deepEqual(seen.sort(), [[0xffff_fffe, EPOLL.in], [7, EPOLL.in]].sort());
    epoll.modify(second.descriptor, 0, 7);
    epoll.delete(first.descriptor);
    assert.equal(epoll.wait(0), 0);
  },
});

Deno.test({
  name: "sys: one wait takes no more events than it has room for, and the next takes the rest",
  ignore,
  fn: () => {
    using libc = Libc.open();
    using epoll = new Epoll(libc, 2);
    using bells = new DisposableStack();
    for (let tag = 0; tag < 3; tag++) {
      const bell = bells.use(EventFd.create(libc));
      epoll.add(bell.descriptor, EPOLL.in | EPOLL.edgeTriggered, tag);
      bell.signal();
    }
    assert.equal(epoll.wait(0), 2);
    assert.equal(epoll.wait(0), 1);
  },
});

Deno.test({
  name: "sys: a call that fails answers its errno, and setting up turns it into an error",
  ignore,
  fn: () => {
    using libc = Libc.open();
    using epoll = new Epoll(libc, 8);
    using bell = EventFd.create(libc);
    assert.equal(libc.close(-1), -ERRNO.EBADF);
    epoll.add(bell.descriptor, EPOLL.in, 0);
    const twice = (error: unknown) =>
      error instanceof SystemError && error.code === "SYSTEM_CALL_FAILED" &&
      error.message === "epoll_ctl failed with EEXIST" && error.fields["errno"] === ERRNO.EEXIST;
    assert.throws(() => epoll.add(bell.descriptor, EPOLL.in, 0), twice);
  },
});
