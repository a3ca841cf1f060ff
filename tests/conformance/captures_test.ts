/**
 * What a real kernel director sent, packet by packet: this one sends the same.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sealIpv4 } from "../../packet/ipv4.ts";
import { markedPorts } from "../oracle/capture_marks.ts";
import { parseCase, readCapture } from "../oracle/capture_recording.ts";
import type { CaptureRecording } from "../oracle/capture_recording.ts";
import { replayCapture } from "../oracle/capture_replay.ts";
import { replayAll } from "../oracle/oracle.ts";
import type { CapturedFrame } from "../oracle/pcap.ts";

const CAPTURES = fileURLToPath(new URL("../fixtures/captures/", import.meta.url));

Deno.test("every packet that the recorded director sent is sent alike", async () => {
  const tallies = await replayAll(CAPTURES);
  assert.equal(tallies.length, 42);
  for (const { name, equal, total, firstDifference } of tallies) {
    assert.equal(firstDifference, undefined);
    assert.ok(total > 5 && equal === total, `${name}: ${equal} of ${total}`);
  }
  assert.equal(tallies.reduce((sum, { equal }) => sum + equal, 0), 1_787);
});

/** A change of one captured frame. */
interface Lie {
  readonly what: string;
  readonly capture: string;
  readonly link: string;
  /** Finds the frame to be changed. */
  readonly is: (bytes: Uint8Array) => boolean;
  readonly change: (frame: CapturedFrame) => CapturedFrame[];
  readonly found: RegExp;
}

/** Replaces one byte, and lets a header checksum of IPv4 stay wrong: both are differences. */
function byte(at: number, value: number): (frame: CapturedFrame) => CapturedFrame[] {
  return (frame) => [{ ...frame, bytes: frame.bytes.with(at, value) }];
}

const isSent = (bytes: Uint8Array) => bytes[10] === 0xd0;
const isSentIpv4 = (bytes: Uint8Array) => isSent(bytes) && bytes[12] === 8 && bytes[13] === 0;

const LIES: readonly Lie[] = [
  {
    what: "a hop more",
    capture: "dr_basic",
    link: "d1",
    is: isSentIpv4,
    change: byte(22, 64),
    found: /IPv4 TTL/,
  },
  {
    what: "another MAC",
    capture: "dr_basic",
    link: "d1",
    is: isSentIpv4,
    change: byte(5, 0x12),
    found: /MAC/,
  },
  {
    what: "another real server's port",
    capture: "nat_basic",
    link: "d1",
    is: isSentIpv4,
    change: byte(37, 0x91),
    found: /tcp destination port/,
  },
  {
    what: "another TCP checksum",
    capture: "nat_basic",
    link: "d0",
    is: isSentIpv4,
    change: byte(51, 0x91),
    found: /tcp checksum/,
  },
  {
    what: "another identification of a forwarded packet",
    capture: "nat_basic",
    link: "d1",
    is: isSentIpv4,
    change: byte(18, 0x91),
    found: /IPv4 id/,
  },
  {
    what: "another outer TOS",
    capture: "tun_basic",
    link: "d1",
    is: isSentIpv4,
    change: byte(15, 0xb8),
    found: /IPv4 TOS/,
  },
  {
    what: "another GRE flag",
    capture: "gre_csum",
    link: "d1",
    is: isSentIpv4,
    change: byte(34, 0),
    found: /gre bytes/,
  },
  {
    what: "a GUE source port that changes",
    capture: "gue_basic",
    link: "d1",
    is: isSentIpv4,
    change: byte(35, 0x91),
    found: /GUE source port/,
  },
  {
    what: "another MTU in an ICMP error",
    capture: "tun_big",
    link: "d0",
    is: isSentIpv4,
    change: byte(41, 0x01),
    found: /icmp/,
  },
  {
    what: "another byte quoted by an ICMP error",
    capture: "nodest",
    link: "d0",
    is: (bytes) => isSentIpv4(bytes) && bytes[23] === 1,
    change: byte(64, 0x01),
    found: /quoted tcp/,
  },
  {
    what: "a fragment of another size",
    capture: "tun_big_pmtu_disc0",
    link: "d1",
    is: isSentIpv4,
    change: (frame) => [{ ...frame, bytes: frame.bytes.slice(0, -8) }],
    found: /bytes, recorded/,
  },
  {
    what: "another identification of one fragment",
    capture: "tun_big",
    link: "d1",
    is: (bytes) => isSentIpv4(bytes) && (bytes[20] ?? 0) === 0x20,
    change: (frame) => {
      const bytes = frame.bytes.with(18, 0x77);
      sealIpv4(bytes, 14);
      return [{ ...frame, bytes }];
    },
    found: /id: fragments/,
  },
  {
    what: "a packet less",
    capture: "weight0",
    link: "d1",
    is: isSentIpv4,
    change: () => [],
    found: /was sent, and not recorded/,
  },
  {
    what: "a packet more",
    capture: "weight0",
    link: "d0",
    is: isSentIpv4,
    change: (frame) => [frame, frame],
    found: /was not sent/,
  },
  {
    what: "two seconds later",
    capture: "dr_states",
    link: "d1",
    is: isSentIpv4,
    change: (frame) => [{ ...frame, seconds: frame.seconds + 2 }],
    found: /was sent at another time|is .* recorded/,
  },
  {
    what: "another ARP answer",
    capture: "rs_down",
    link: "d1",
    is: (bytes) => isSent(bytes) && bytes[13] === 6,
    change: byte(41, 0x62),
    found: /ARP/,
  },
];

for (const { what, capture, link, is, change, found } of LIES) {
  Deno.test(`a capture that says: ${what}, is found out`, async () => {
    const truth = await read(capture);
    const frames = truth.frames.get(link) ?? [];
    const index = frames.findIndex(({ bytes }) => is(bytes));
    assert.ok(index >= 0, "the capture has such a frame");
    const lie = frames.flatMap((frame, i) => i === index ? change(frame) : [frame]);
    const { equal, total, difference } = await replayCapture({
      ...truth,
      frames: new Map([...truth.frames, [link, lie]]),
    });
    assert.match(difference ?? "no difference", found);
    assert.ok(equal < total);
  });
}

Deno.test("a capture with another command, or another exit code, is found out", async () => {
  const truth = await read("dr_basic");
  const altered = (from: string, to: string) =>
    replayCapture({
      ...truth,
      steps: truth.steps.map((it) => ({ ...it, step: it.step.replace(from, to) })),
    });
  assert.equal((await altered("nothing", "")).difference, undefined);
  assert.match((await altered("-s rr", "-s quickest")).difference ?? "", /exit code 255, recorded 0/);
  assert.match((await altered("172.16.0.11:80", "172.16.0.12:80")).difference ?? "", /destination MAC/);
});

const LISTINGS: readonly [what: string, capture: string, from: RegExp, to: string, found: RegExp][] = [
  ["another state", "dr_basic", /FIN_WAIT {3}/, "TIME_WAIT  ", /there is no TCP TIME_WAIT/],
  ["another time left", "dr_basic", /01:59/, "01:50", /119 s left, recorded 110 s/],
  ["a connection less", "tun_basic", /\nTCP .*FIN_WAIT.*\n/, "\n", /was not recorded/],
  ["another count of connections", "nat_basic", /(Masq {4}1 {6}0 {10})1/, "$12", /-Ln: line 5/],
  ["another count of bytes", "dr_basic", / 297 /, " 298 ", /--stats: line 4/],
];

for (const [what, capture, from, to, found] of LISTINGS) {
  Deno.test(`a capture whose listing says: ${what}, is found out`, async () => {
    const truth = await read(capture);
    const at = truth.steps.findIndex(({ out = "" }) => from.test(out));
    assert.ok(at >= 0, "the capture has such a listing");
    const steps = truth.steps.map((it, i) => i === at ? { ...it, out: it.out?.replace(from, to) ?? "" } : it);
    const { equal, total, difference } = await replayCapture({ ...truth, steps });
    assert.match(difference ?? "no difference", found);
    assert.equal(total, equal + 1);
  });
}

Deno.test("which ports had a mark, refusals and connections tell", async () => {
  const [tcp, udp] = [6, 17];
  const portsOf = async (name: string) =>
    markedPorts(await read(name)).map(({ protocol, port, mark }) => [protocol, port, mark]);
  assert.deepEqual(
    new Map((await portsOf("nodest")).map((it) => [it[1], it])),
    new Map([[8_888, [tcp, 8_888, 5]]]),
  );
  assert.deepEqual(
    (await portsOf("fwmark9")).sort(),
    [
      ...[443, 80, 8_080, 8_888].map((port) => [tcp, port, 9]),
      ...[53, 5_353].map((port) => [udp, port, 9]),
    ].sort(),
  );
  assert.deepEqual(await portsOf("persist_port0"), []);
});

Deno.test("a case file of another kind is none", () => {
  for (const text of ["", "hello", "[]", "{}", '{"case":"a"}', '{"case":"a","steps":[{"t":"now"}]}', "{"]) {
    assert.equal(parseCase(text), undefined);
  }
});

async function read(name: string): Promise<CaptureRecording> {
  const directory = join(CAPTURES, name);
  const recorded = parseCase(await Deno.readTextFile(join(directory, "case.json")));
  assert.ok(recorded !== undefined);
  return await readCapture(directory, recorded);
}
