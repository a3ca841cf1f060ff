/** Datagrams in batches and trains, through real sockets of the loopback. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { IpAddress } from "../../net/address.ts";
import { LIMITS } from "../../limits.ts";
import { DatagramReceiver, SOURCE_WORDS } from "../../sys/datagram_receiver.ts";
import { DatagramSender, type Recipient } from "../../sys/datagram_sender.ts";
import { ERRNO } from "../../sys/errno.ts";
import { addressNumber, addressOf, Libc } from "../../sys/libc.ts";
import { portAt, socketAddress } from "../../sys/socket_address.ts";
import { IP_OPTION, LEVEL, SOCKET_OPTION, UDP_OPTION } from "../../sys/socket_numbers.ts";
import { Sockets } from "../../sys/sockets.ts";

/** SO_NO_CHECK: a socket without checksums, whose trains the kernel refuses. */
const NO_CHECKSUM = 11;

function test(what: string, fn: (ends: Ends) => void | Promise<void>): void {
  Deno.test({
    name: `sys: ${what}`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      using ends = new Ends();
      await fn(ends);
    },
  });
}

/** Two sockets of one address, and what sends and receives through them. */
class Ends implements Disposable {
  readonly libc = Libc.open();
  readonly sockets = new Sockets(this.libc);
  readonly sender = new DatagramSender(this.libc, 32);
  readonly receiver = new DatagramReceiver(this.libc, 32, true);
  readonly from: number;
  readonly to: number;

  constructor(host = "127.0.0.1") {
    const at = { address: IpAddress.parse(host), port: 0 };
    this.to = this.sockets.bindDatagrams(at, [[LEVEL.socket, SOCKET_OPTION.receiveBuffer, 4_194_304]]);
    this.from = this.sockets.bindDatagrams(at, []);
    const name = socketAddress(this.sockets.localEndpoint(this.to));
    assert.equal(this.libc.connect(this.from, addressOf(name), name.length), 0);
  }

  /** Adds datagrams, sends all, and returns how many messages they were. */
  send(datagrams: readonly Uint8Array<ArrayBuffer>[], mayJoin: boolean): number {
    this.sender.clear();
    for (const it of datagrams) this.sender.add(undefined, addressNumber(it), it.length, 0, mayJoin);
    for (let sent = 0; sent < this.sender.count;) {
      const more = this.sender.send(this.from, sent);
      assert.ok(more > 0, `errno ${-more}`);
      sent += more;
    }
    return this.sender.count;
  }

  /** All datagrams that wait, trains taken apart. */
  receive(): Uint8Array[] {
    const { receiver } = this;
    const datagrams: Uint8Array[] = [];
    for (;;) {
      const count = receiver.receive(this.to, 0, receiver.slots);
      if (count === -ERRNO.EAGAIN) return datagrams;
      assert.ok(count > 0, `errno ${-count}`);
      for (let slot = 0; slot < count; slot++) {
        const start = receiver.address(slot) - receiver.address(0);
        const whole = receiver.bytes.slice(start, start + receiver.length(slot));
        const size = receiver.trainBytes(slot) || whole.length;
        let offset = 0;
        do datagrams.push(whole.subarray(offset, offset += size)); while (offset < whole.length);
      }
    }
  }

  [Symbol.dispose](): void {
    this.libc.close(this.from);
    this.libc.close(this.to);
    this.libc[Symbol.dispose]();
  }
}

/** `length` bytes that differ from those of another seed. */
function bytesOf(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 101) & 255);
}

const sizes = fc.array(fc.oneof(fc.constantFrom(0, 1, 500, 1_200), fc.nat(3_000)), {
  minLength: 1,
  maxLength: 32,
});

for (const trains of [0, 1]) {
  test(`any datagrams arrive one by one, in order, ${trains ? "as trains" : "without trains"}`, (ends) => {
    const seed = Date.now() & 0x7fffffff;
    ends.sockets.setOption(ends.to, LEVEL.udp, UDP_OPTION.receiveTrains, trains);
    const property = fc.property(sizes, fc.boolean(), (lengths, mayJoin) => {
      const sent = lengths.map((length, i) => bytesOf(length, i));
      ends.send(sent, mayJoin);
      assert.deepEqual(ends.receive().map((it) => [...it]), sent.map((it) => [...it]));
    });
    fc.assert(property, { numRuns: 100, seed });
  });
}

test("equal datagrams are one message, and a smaller one is the last of it", (ends) => {
  const datagrams = [100, 100, 100, 40, 100, 100].map(bytesOf);
  assert.equal(ends.send(datagrams, true), 2);
  assert.deepEqual([ends.sender.datagrams(0), ends.sender.bytes(0)], [4, 340]);
  assert.deepEqual([ends.sender.datagrams(1), ends.sender.bytes(1)], [2, 200]);
  assert.equal(ends.receive().length, 6);
  assert.equal(ends.send(datagrams, false), 6);
  assert.equal(ends.receive().length, 6);
});

test("a train is not longer than an IP packet", (ends) => {
  const datagrams = Array.from({ length: 10 }, (_, i) => bytesOf(9_000, i));
  assert.equal(ends.send(datagrams, true), 2);
  assert.deepEqual(ends.receive(), datagrams);
});

test("the largest datagram passes whole, and one more byte is refused", (ends) => {
  const largest = bytesOf(LIMITS.udpPayloadBytes, 1);
  ends.send([largest], true);
  assert.deepEqual(ends.receive(), [largest]);
  ends.sender.clear();
  const larger = bytesOf(LIMITS.udpPayloadBytes + 1, 1);
  ends.sender.add(undefined, addressNumber(larger), larger.length, 0, true);
  assert.equal(ends.sender.send(ends.from, 0), -ERRNO.EMSGSIZE);
});

test("a train that the way does not take goes datagram by datagram", (ends) => {
  assert.equal(ends.sockets.setOption(ends.from, LEVEL.socket, NO_CHECKSUM, 1), 0);
  const datagrams = [100, 100, 100, 40].map(bytesOf);
  assert.equal(ends.send(datagrams, true), 1);
  assert.ok(ends.sender.wasTakenApart(0));
  assert.deepEqual(ends.receive(), datagrams);
});

test("a head goes in front of its datagram", (ends) => {
  const [head, datagram] = [bytesOf(28, 1), bytesOf(50, 2)];
  ends.sender.clear();
  ends.sender.addBehind(addressNumber(head), head.length, addressNumber(datagram), datagram.length);
  assert.equal(ends.sender.send(ends.from, 0), 1);
  assert.deepEqual(ends.receive(), [Uint8Array.of(...head, ...datagram)]);
});

test("a closed port is an error of the next call", (ends) => {
  ends.libc.close(ends.to);
  const datagram = bytesOf(1, 1);
  ends.sender.clear();
  ends.sender.add(undefined, addressNumber(datagram), 1, 0, true);
  assert.equal(ends.sender.send(ends.from, 0), 1);
  assert.equal(ends.receiver.receive(ends.from, 0, 1), -ERRNO.ECONNREFUSED);
});

test("who sent it and which address he asked are known, and answers leave from there", (ends) => {
  const { sockets, libc, receiver, sender } = ends;
  const wildcard = sockets.bindDatagrams({ address: IpAddress.parse("0.0.0.0"), port: 0 }, []);
  using _ = { [Symbol.dispose]: () => void libc.close(wildcard) };
  sockets.setOption(wildcard, LEVEL.ip, IP_OPTION.packetInfo, 1);
  const asked = { address: IpAddress.parse("127.0.0.9"), port: sockets.localEndpoint(wildcard).port };
  const name = socketAddress(asked);
  assert.equal(libc.connect(ends.from, addressOf(name), name.length), 0);
  ends.send([bytesOf(3, 1), bytesOf(4, 2)], false);
  assert.equal(receiver.receive(wildcard, 0, 8), 2);
  const words = new Uint32Array(SOURCE_WORDS);
  assert.ok(!receiver.readSource(0, words));
  assert.ok(receiver.readSource(1, words), "the same client again");
  const virtual = new Uint32Array(4);
  assert.equal(receiver.readAsked(virtual), 4);
  assert.equal(`${new IpAddress(4, virtual)}`, "127.0.0.9");
  const [client] = receiver.names;
  assert.ok(client !== undefined);
  assert.equal(portAt(client), sockets.localEndpoint(ends.from).port);
  const sockaddr = new Uint8Array(client.buffer.slice(client.byteOffset, client.byteOffset + 16));
  const to: Recipient = {
    nameAddress: addressNumber(sockaddr),
    nameBytes: 16,
    source: words.subarray(5, 9),
    sourceFamily: 4,
    interfaceIndex: 0,
  };
  const answers = [bytesOf(70, 1), bytesOf(70, 2)];
  sender.clear();
  for (const it of answers) sender.add(to, addressNumber(it), it.length, 0, true);
  assert.equal(sender.count, 1, "one train, with its source");
  assert.equal(sender.send(wildcard, 0), 1);
  // The socket is connected to the address asked: it hears nothing from another one.
  assert.equal(receiver.receive(ends.from, 0, 8), 2);
  assert.deepEqual([receiver.length(0), receiver.length(1)], [70, 70]);
});
