/**
 * Frames from nobody one would trust, through the whole director: nothing throws, nothing is written outside of the frame, and
 * memory stays where it was.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { TCP_FLAG } from "../../../../net/flow.ts";
import { put16 } from "../../../../packet/bytes.ts";
import { sealIpv4 } from "../../../../packet/ipv4.ts";
import { exposedCollector } from "../../../conformance/engines/collector.ts";
import { frame, ipPacket } from "../../packet/frames.ts";
import { seedOfRun } from "../../net/property.ts";
import { MAC, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
/** Five minutes in `deno task proof`, one where everything is promised, a few seconds on a laptop. */
const DURATION_MS = Deno.env.get("LVSD_PROOF") !== undefined
  ? 300_000
  : Deno.env.get("CI") === "true"
  ? 60_000
  : 5_000;
const SEED = seedOfRun();
const GUARD = 64;
/** Beyond this something is kept: under 1 MiB is what 2.8 million frames leave, two bytes a frame would be 5 MiB. */
const GROWTH_BYTES = 4 * 1_024 * 1_024;

function gue(inner: Uint8Array): Uint8Array {
  return Uint8Array.of(0, 4, 0, 0, ...inner);
}

function gre(inner: Uint8Array): Uint8Array {
  return Uint8Array.of(0, 0, 8, 0, ...inner);
}

const inner = ipPacket({
  source: VIP,
  destination: CLIENT,
  protocol: 17,
  sourcePort: 53,
  destinationPort: 40_000,
});
const inner6 = ipPacket({ source: "fd00:1::100", destination: "fd00:1::10", protocol: 17, sourcePort: 53 });
const outer = ipPacket({ source: "172.16.0.1", destination: "172.16.0.12", protocol: 4, payload: inner });

/** Tunnels in tunnels. */
const nested = [outer, gue(outer), gre(outer)].flatMap((payload, i) => {
  const protocol = [4, 17, 47][i] ?? 4;
  const once = ipPacket({ source: CLIENT, destination: VIP, protocol, destinationPort: 6_080, payload });
  return [once, ipPacket({ source: "172.16.0.12", destination: "172.16.0.1", protocol: 4, payload: once })];
});

/** Every kind of packet there is a branch for. */
const SEEDS: readonly Uint8Array[] = [
  ipPacket({ source: CLIENT, destination: VIP, protocol: 6, flags: TCP_FLAG.syn }),
  ipPacket({ source: CLIENT, destination: VIP, destinationPort: 53, payload: new Uint8Array(40) }),
  ipPacket({
    source: CLIENT,
    destination: VIP,
    destinationPort: 53,
    fragment: 0x2000,
    payload: new Uint8Array(64),
  }),
  ipPacket({
    source: CLIENT,
    destination: VIP,
    protocol: 17,
    destinationPort: 53,
    options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0),
  }),
  ipPacket({ source: "172.16.0.11", destination: CLIENT, sourcePort: 5_353, destinationPort: 40_000 }),
  ipPacket({ source: CLIENT, destination: VIP, protocol: 132, payload: new Uint8Array(40) }),
  ipPacket({ source: "fd00:1::10", destination: "fd00:1::100", protocol: 6 }),
  ipPacket({ source: "fd00:1::10", destination: "fd00:1::100", protocol: 0, payload: new Uint8Array(48) }),
  ipPacket({
    source: "fd00:1::10",
    destination: "fd00:1::100",
    protocol: 58,
    payload: Uint8Array.of(1, 4, 0, 0, 0, 0, 0, 0, ...inner6),
  }),
  ipPacket({
    source: "fd00:1::10",
    destination: "ff02::1:ff00:100",
    protocol: 58,
    ttl: 255,
    payload: new Uint8Array(32).fill(135, 0, 1),
  }),
  ipPacket({
    source: CLIENT,
    destination: VIP,
    protocol: 1,
    payload: Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0, ...inner),
  }),
  ipPacket({
    source: "172.16.0.12",
    destination: "172.16.0.1",
    protocol: 1,
    payload: Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0, ...outer),
  }),
  ipPacket({ source: CLIENT, destination: VIP, protocol: 17, destinationPort: 6_080, payload: gue(inner) }),
  ipPacket({ source: CLIENT, destination: VIP, protocol: 47, payload: gre(inner) }),
  ...nested,
  ...nested.map((about) =>
    ipPacket({
      source: "172.16.0.12",
      destination: "172.16.0.1",
      protocol: 1,
      payload: Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0, ...about),
    })
  ),
];

function servedWire(): Wire {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: "172.16.0.11", method: "nat" }]);
  wire.serve(VIP, "udp", [
    { at: "172.16.0.11", port: 5_353 },
    { at: "172.16.0.12", method: "tun", tunnel: { type: "gue", port: 6_080, checksum: "csum" } },
    { at: "172.16.0.13", method: "dr" },
  ], 53);
  wire.serve("fd00:1::100", "tcp", [{ at: "fd00:2::11", method: "tun" }, { at: "fd00:2::12" }]);
  wire.director.sysctl.schedule_icmp = 1;
  wire.director.sysctl.nat_icmp_send = 1;
  wire.director.sysctl.sloppy_tcp = 1;
  return wire;
}

/** Receives a frame that lies between bytes that must not change. */
function receiveGuarded(wire: Wire, bytes: Uint8Array): void {
  const buffer = new Uint8Array(GUARD + bytes.length + GUARD).fill(0xa5);
  buffer.set(bytes, GUARD);
  wire.packets.receive(1, buffer, GUARD, GUARD + bytes.length, wire.nowMs);
  assert.ok(buffer.subarray(GUARD + bytes.length).every((byte) => byte === 0xa5), "written behind the frame");
  wire.takeSent();
}

Deno.test("the packet director: frames cut at every byte, tagged or not", () => {
  const wire = servedWire();
  for (const seed of SEEDS) {
    for (const vlan of [0, 7]) {
      const whole = frame(seed, MAC.client, MAC.outside, vlan);
      for (let length = 0; length <= whole.length; length++) receiveGuarded(wire, whole.slice(0, length));
    }
  }
});

/** What is still reachable after a collection that was asked for. */
class LiveMemory {
  readonly #beginMs = performance.now();
  readonly #collect = exposedCollector();
  #quarterBytes: number | undefined;
  #frames = 0;

  count(): void {
    this.#frames++;
    // After the first quarter everything is as full as it gets.
    if (this.#quarterBytes !== undefined || 4 * (performance.now() - this.#beginMs) < DURATION_MS) return;
    this.#quarterBytes = this.#measure();
  }

  get frames(): number {
    return this.#frames;
  }

  /** From the end of the first quarter to now. */
  growthBytes(): number {
    return this.#measure() - (this.#quarterBytes ?? NaN);
  }

  #measure(): number {
    this.#collect();
    return Deno.memoryUsage().heapUsed;
  }
}

Deno.test(`the packet director: frames that lie, for ${DURATION_MS / 1_000} s, seed ${SEED}`, () => {
  const wire = servedWire();
  const memory = new LiveMemory();
  const details = fc.check(
    fc.property(
      fc.constantFrom(...SEEDS),
      fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 5 }),
      fc.nat(30),
      fc.nat(200),
      (seed, lies, cut, passesMs) => {
        const packet = seed.slice();
        for (const [at, value] of lies) if (at < packet.length) packet[at] = value;
        if ((packet[0] ?? 0) >>> 4 === 4) {
          if (cut % 3 === 0) put16(packet, 2, Math.max(0, packet.length - cut));
          sealIpv4(packet, 0);
        }
        const isCut = cut % 2 === 0;
        receiveGuarded(
          wire,
          frame(isCut ? packet.slice(0, packet.length - cut) : packet, MAC.client, MAC.outside),
        );
        wire.advance(passesMs);
        memory.count();
      },
    ),
    {
      numRuns: Number.MAX_SAFE_INTEGER,
      seed: SEED,
      interruptAfterTimeLimit: DURATION_MS,
      markInterruptAsFailure: false,
    },
  );
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
  assert.ok(wire.director.connectionCount <= 256);
  const growthBytes = memory.growthBytes();
  assert.ok(growthBytes < GROWTH_BYTES, `${growthBytes} bytes more after ${memory.frames} frames`);
});
