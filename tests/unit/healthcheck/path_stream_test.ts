/** TCP without a socket, against a server that is scripted segment by segment. */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { type Check, CheckError, type Dialer } from "../../../healthcheck/check.ts";
import { HttpCheck } from "../../../healthcheck/http.ts";
import { PacketPathCheck } from "../../../healthcheck/packet_path.ts";
import { PathStream } from "../../../healthcheck/path_stream.ts";
import type { ServerPath } from "../../../healthcheck/server_path.ts";
import { TcpCheck } from "../../../healthcheck/tcp.ts";
import { UdpCheck } from "../../../healthcheck/udp.ts";
import { IpAddress } from "../../../net/address.ts";
import { TCP_FLAG } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { get16, get32, put16, put32 } from "../../../packet/bytes.ts";
import { TCP, TCP_BYTES } from "../../../packet/transport.ts";

const { syn, ack, fin, rst, psh } = TCP_FLAG;
const TARGET = { address: IpAddress.parse("10.0.0.2"), port: 80 };
const ISN = 0xffff_fff0;

interface Seen {
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly text: string;
}

/** The other end: keeps what it got, and says what a test tells it to. */
class ScriptedServer implements ServerPath {
  readonly seen: Seen[] = [];
  isClosed = false;
  protocol = "";
  /** Called for each segment. */
  answer: (seen: Seen) => void = () => {};
  #heard: (segment: Uint8Array) => void = () => {};

  open(protocol: "tcp" | "udp", heard: (segment: Uint8Array) => void) {
    this.protocol = protocol;
    this.#heard = heard;
    return {
      port: 40_000,
      send: (segment: Uint8Array) => {
        assert.equal(get16(segment, TCP.sourcePort), 40_000);
        assert.equal(get16(segment, TCP.destinationPort), 80);
        const header = protocol === "tcp" ? TCP_BYTES : 8;
        const seen = {
          flags: protocol === "tcp" ? segment[TCP.flags] ?? 0 : 0,
          sequence: protocol === "tcp" ? get32(segment, TCP.sequence) : 0,
          acknowledgement: protocol === "tcp" ? get32(segment, TCP.acknowledgement) : 0,
          text: new TextDecoder().decode(segment.subarray(header)),
        };
        this.seen.push(seen);
        this.answer(seen);
      },
      [Symbol.dispose]: () => void (this.isClosed = true),
    };
  }

  tell(flags: number, sequence: number, acknowledgement: number, text = ""): void {
    const payload = new TextEncoder().encode(text);
    const segment = new Uint8Array(TCP_BYTES + payload.length);
    put16(segment, TCP.sourcePort, 80);
    put32(segment, TCP.sequence, sequence >>> 0);
    put32(segment, TCP.acknowledgement, acknowledgement >>> 0);
    segment[TCP.dataOffset] = 5 << 4;
    segment[TCP.flags] = flags;
    segment.set(payload, TCP_BYTES);
    this.#heard(segment);
  }

  raw(datagram: Uint8Array): void {
    this.#heard(datagram);
  }
}

async function opened(clock = new ManualClock()) {
  const server = new ScriptedServer();
  const { stream, opened } = PathStream.open({ path: server, virtualPort: 80, clock, sequence: ISN });
  server.tell(syn | ack, 1_000, ISN + 1);
  await opened;
  return { server, stream, clock };
}

async function readText(stream: PathStream): Promise<string | null> {
  const buffer = new Uint8Array(100);
  const count = await stream.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
}

Deno.test("path stream: three segments open it, over the end of the sequence numbers", async () => {
  const { server, stream } = await opened();
  assert.deepEqual(server.seen.map((it) => [it.flags, it.sequence, it.acknowledgement]), [
    [syn, ISN, 0],
    [ack, ISN + 1, 1_001],
  ]);
  const written = stream.write(new TextEncoder().encode("x".repeat(600)));
  assert.equal(server.seen.at(-1)?.text.length, 536, "one segment at a time");
  server.tell(ack, 1_001, ISN + 1 + 536);
  await Promise.resolve();
  server.tell(ack, 1_001, ISN + 1 + 600);
  await written;
  assert.equal(server.seen.at(-1)?.text.length, 64);
  stream[Symbol.dispose]();
  assert.deepEqual(server.seen.at(-1)?.flags, rst | ack, "nothing is left behind");
  assert.ok(server.isClosed);
});

Deno.test("path stream: what is lost is sent again, until it is answered", async () => {
  const clock = new ManualClock();
  const server = new ScriptedServer();
  const { stream, opened } = PathStream.open({ path: server, virtualPort: 80, clock, sequence: ISN });
  clock.advance(650);
  assert.equal(server.seen.filter((it) => it.flags === syn).length, 4);
  server.tell(syn | ack, 1_000, ISN + 1);
  await opened;
  const before = server.seen.length;
  clock.advance(1_000);
  assert.equal(server.seen.length, before, "no timer is left");
  stream[Symbol.dispose]();
});

Deno.test("path stream: bytes in order, each once, and the end", async () => {
  const { server, stream } = await opened();
  server.tell(ack | psh, 1_001, ISN + 1, "hello ");
  server.tell(ack | psh, 1_020, ISN + 1, "later");
  assert.equal(server.seen.at(-1)?.acknowledgement, 1_007, "the gap is asked for");
  server.tell(ack | psh, 1_001, ISN + 1, "hello again");
  server.tell(ack | fin, 1_012, ISN + 1, "!");
  assert.equal(server.seen.at(-1)?.acknowledgement, 1_014);
  assert.equal(await readText(stream), "hello ");
  assert.equal(await readText(stream), "again");
  assert.equal(await readText(stream), "!");
  assert.equal(await readText(stream), null);
  stream[Symbol.dispose]();
});

Deno.test("path stream: a reset counts only with our numbers", async () => {
  const { server, stream } = await opened();
  const read = stream.read(new Uint8Array(1));
  server.tell(rst, 4_711, 0);
  server.tell(rst, 1_001, 0);
  await assert.rejects(read, (error) => error instanceof CheckError && error.reason === "reset");
  stream[Symbol.dispose]();
});

Deno.test("path stream: a refusal", async () => {
  const server = new ScriptedServer();
  const clock = new ManualClock();
  const { stream, opened } = PathStream.open({ path: server, virtualPort: 80, clock, sequence: ISN });
  server.tell(rst | ack, 0, ISN);
  server.tell(rst | ack, 0, ISN + 1);
  await assert.rejects(opened, (error) => error instanceof CheckError && error.reason === "refused");
  stream[Symbol.dispose]();
});

/** Runs a check whose path is silent, over a host that is what it is at its own address. */
async function silent(check: Check, direct: "answers" | "refused" | "silent") {
  const clock = new ManualClock();
  const abort = new AbortController();
  const path = new ScriptedServer();
  const reach = <Reached>(reached: Reached): Promise<Reached> =>
    direct === "answers"
      ? Promise.resolve(reached)
      : direct === "refused"
      ? Promise.reject(new CheckError("refused", ""))
      : new Promise(() => {});
  const nothing = {
    [Symbol.dispose]() {},
    read: () => Promise.resolve(null),
    write: () => Promise.resolve(),
  };
  const datagrams = {
    [Symbol.dispose]() {},
    reportsClosedPorts: true,
    send: () => Promise.resolve(),
    receive: () => Promise.resolve(new Uint8Array(1)),
  };
  const dialer: Dialer = {
    connectTcp: () => reach(nothing),
    connectUdp: () => reach(datagrams),
    connectTls: () => assert.fail(),
    run: () => assert.fail(),
  };
  const parts = { check, pathTo: () => path, timeoutMs: 1_000, clock, random: new SeededRandom(1) };
  const failed = new PacketPathCheck(parts).run(TARGET, dialer, abort.signal).then(
    (it) => it.up ? "up" : it.reason,
    (error) => error instanceof CheckError ? error.reason : `${error}`,
  );
  clock.advance(600);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  abort.abort();
  const reason = await failed;
  assert.ok(path.isClosed);
  return reason;
}

const HTTP = new HttpCheck({
  type: "http",
  method: "GET",
  path: "/",
  headers: {},
  status: [{ from: 200, to: 200 }],
  verify: false,
});
const UDP = new UdpCheck({ type: "udp", send: new Uint8Array(1), expect: new Uint8Array(1) });

for (const check of [new TcpCheck(), HTTP]) {
  Deno.test(`path check, ${check.type}: silence of a server that is alive is the path's fault`, async () => {
    assert.equal(await silent(check, "answers"), "path");
    assert.equal(await silent(check, "refused"), "path");
    assert.equal(await silent(check, "silent"), "timeout");
  });
}

Deno.test("path check, udp: silence of a server that answers at its own address is the path's fault", async () => {
  assert.equal(await silent(UDP, "answers"), "path");
  assert.equal(await silent(UDP, "silent"), "timeout");
});

Deno.test("path check, udp: a closed port, and an answer", async () => {
  const never = () => assert.fail();
  const dialer: Dialer = { connectTcp: never, connectUdp: never, connectTls: never, run: never };
  for (const [answer, reason] of [[new Uint8Array(0), "refused"], [new Uint8Array(9), "up"]] as const) {
    const path = new ScriptedServer();
    path.answer = () => path.raw(answer);
    const clock = new ManualClock();
    const parts = { check: UDP, pathTo: () => path, timeoutMs: 1_000, clock, random: new SeededRandom(1) };
    const result = await new PacketPathCheck(parts).run(TARGET, dialer, new AbortController().signal).then(
      (it) => it.up ? "up" : it.reason,
      (error) => error.reason,
    );
    assert.equal(result, reason);
  }
});
