/** Rates and the reading that stands still, against a kernel's own figures. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Director } from "../../../director/director.ts";
import type { Counters } from "../../../director/statistics.ts";
import type { Flow } from "../../../net/flow.ts";
import { back, destination, from, makeDirector, udp, udpService } from "./testbed.ts";

const ZERO: Counters = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };

/** The five numbers at the end of a line of `ipvsadm -Ln --stats` or `--rate`. */
function figures(line: string): Counters {
  const [connections = 0, inPackets = 0, outPackets = 0, inBytes = 0, outBytes = 0] = line.split(/\s+/)
    .slice(2).map(Number);
  return { connections, inPackets, outPackets, inBytes, outBytes };
}

interface Sample {
  readonly t: number;
  readonly rate_line: string;
  readonly stats_line: string;
}

/** Recorded samples, one for each reading of the kernel's estimator. */
function readings(): Sample[] {
  const path = new URL("../../fixtures/rates/rate_series.jsonl", import.meta.url);
  const samples = readFileSync(path, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Sample);
  return samples.filter((it, i) => it.rate_line + it.stats_line !== lines(samples[i - 1]));
}

function lines(sample: Sample | undefined): string {
  return sample === undefined ? "" : sample.rate_line + sample.stats_line;
}

function withOne(director: Director): { service: number; handle: number; flow: Flow } {
  const service = director.addService(udpService(), 0);
  const handle = director.addDestination(service, destination("10.2.0.1:53"), 0);
  return { service, handle, flow: udp("192.0.2.1:1") };
}

/** As many packets and bytes as bring the counters to `wanted`. */
function feed(director: Director, flow: Flow, wanted: Counters, nowMs: number): void {
  const now = director.totals();
  flow.packets = wanted.inPackets - now.inPackets;
  if (flow.packets > 0) from(director, flow, 0, nowMs, wanted.inBytes - now.inBytes);
  flow.packets = wanted.outPackets - now.outPackets;
  if (flow.packets > 0) back(director, flow, 0, nowMs, wanted.outBytes - now.outBytes);
}

Deno.test("estimator: every figure of a kernel's 34 s of --rate and --stats", () => {
  const director = makeDirector();
  const { service, handle, flow } = withOne(director);
  director.advance(0);
  const [first, ...rest] = readings();
  assert.deepEqual(figures(first?.rate_line ?? ""), ZERO);
  assert.ok(rest.length >= 16, `${rest.length} readings in 34 s`);
  let nowMs = 0;
  for (const { t, rate_line: rate, stats_line: stats } of rest) {
    feed(director, flow, figures(stats), nowMs + 1);
    nowMs += 2_000;
    director.advance(nowMs);
    const expected = { counters: figures(stats), rates: figures(rate) };
    assert.deepEqual(director.serviceView(service).estimate, expected, `at ${t} s`);
    assert.deepEqual(director.destinationView(handle).estimate, expected, `at ${t} s`);
    assert.deepEqual(director.estimate, expected, `at ${t} s`);
  }
});

Deno.test("estimator: 1,000 packets a second show as 250, 437, 578, and at last as 1,000", () => {
  const director = makeDirector();
  const { service, flow } = withOne(director);
  director.advance(0);
  const shown: number[] = [];
  for (let reading = 1; reading <= 60; reading++) {
    flow.packets = 2_000;
    from(director, flow, 0, reading * 2_000 - 1, 0);
    director.advance(reading * 2_000);
    shown.push(director.serviceView(service).estimate.rates.inPackets);
  }
  // Reference section 18 says so for the first three.
  assert.deepEqual(shown.slice(0, 3), [250, 437, 578]);
  assert.equal(shown.at(-1), 1_000);
});

Deno.test("estimator: counters live on, the reading stands still for 2 s", () => {
  const director = makeDirector();
  const { service, flow } = withOne(director);
  director.advance(500);
  from(director, flow, 0, 600, 40);
  director.advance(2_499);
  assert.equal(director.serviceView(service).statistics.inPackets, 1);
  assert.deepEqual(director.serviceView(service).estimate.counters, ZERO);
  director.advance(2_500);
  assert.equal(director.serviceView(service).estimate.counters.inPackets, 1);
});

Deno.test("estimator: a pause is made up for, reading by reading", () => {
  const [steady, late] = [makeDirector(), makeDirector()].map((director) => {
    const { service, flow } = withOne(director);
    director.advance(0);
    from(director, flow, 0, 1, 1_000_000);
    return { director, service };
  });
  assert.ok(steady !== undefined && late !== undefined);
  for (let reading = 1; reading <= 9; reading++) steady.director.advance(reading * 2_000);
  late.director.advance(18_100);
  assert.deepEqual(
    late.director.serviceView(late.service).estimate,
    steady.director.serviceView(steady.service).estimate,
  );
  late.director.advance(3_600_000);
  assert.deepEqual(late.director.estimate.rates, ZERO);
});

Deno.test("estimator: zero begins at the last reading, run_estimation 0 holds everything", () => {
  const director = makeDirector();
  const { service, handle, flow } = withOne(director);
  director.advance(0);
  from(director, flow, 0, 1, 4_000);
  director.advance(2_000);
  from(director, flow, 0, 2_001, 60);
  director.zeroStatistics(service);
  assert.deepEqual(director.destinationView(handle).estimate, { counters: ZERO, rates: ZERO });
  director.advance(4_000);
  const after = director.destinationView(handle);
  assert.equal(after.estimate.counters.inBytes, 60, "counted since the reading, as the kernel's zero does");
  assert.equal(after.statistics.inBytes, 0);
  assert.equal(director.estimate.counters.inBytes, 4_060);
  director.sysctl.run_estimation = 0;
  from(director, flow, 0, 4_001, 1_000);
  director.advance(60_000);
  assert.deepEqual(director.destinationView(handle).estimate, after.estimate);
  director.sysctl.run_estimation = 1;
  director.advance(62_000);
  assert.equal(director.destinationView(handle).estimate.counters.inBytes, 1_060);
});

Deno.test("estimator: a row used again begins without the old one's figures", () => {
  const director = makeDirector();
  const { service, flow } = withOne(director);
  director.advance(0);
  from(director, flow, 0, 1, 4_000);
  director.advance(2_000);
  director.forget(flow, 2_000);
  director.deleteService(service, 2_000);
  director.advance(300_000);
  director.advance(600_000);
  const again = withOne(director);
  assert.deepEqual(director.serviceView(again.service).estimate, { counters: ZERO, rates: ZERO });
  assert.deepEqual(director.destinationView(again.handle).estimate, { counters: ZERO, rates: ZERO });
});
