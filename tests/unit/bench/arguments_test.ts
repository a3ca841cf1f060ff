/** The command line of the benchmark. */
import assert from "node:assert/strict";
import { parseBenchArguments } from "../../../bench/arguments.ts";
import { FULL, SHORT } from "../../../bench/figures.ts";

Deno.test("bench: without arguments every figure is measured in full", () => {
  const { effort, figures, picks, json, threads } = parseBenchArguments([]);
  assert.equal(threads, 1);
  assert.deepEqual(effort, FULL);
  assert.deepEqual(figures.map(({ name }) => name), [
    "connections-1",
    "connections",
    "connections-1000",
    "requests-1",
    "requests",
    "requests-1000",
    "download",
    "download-8",
    "upload",
    "upload-8",
    "latency-p50",
    "latency-p99",
    "latency-p99.9",
    "idle",
    "start",
  ]);
  assert.equal(picks, true);
  assert.equal(json, undefined);
});

Deno.test("bench: the schedulers' picks can be measured alone, or not at all", () => {
  assert.deepEqual(parseBenchArguments(["picks"]).figures, []);
  assert.equal(parseBenchArguments(["picks"]).picks, true);
  assert.equal(parseBenchArguments(["upload"]).picks, false);
});

Deno.test("bench: chosen figures come in the order of the report", () => {
  const chosen = parseBenchArguments([
    "upload",
    "--short",
    "--threads",
    "2",
    "--rounds",
    "2",
    "connections",
    "--json",
    "out.json",
  ]);
  assert.deepEqual(chosen.effort, { ...SHORT, rounds: 2 });
  assert.deepEqual(chosen.figures.map(({ name }) => name), ["connections", "upload"]);
  assert.equal(chosen.threads, 2);
  assert.equal(chosen.json, "out.json");
});

Deno.test("bench: what it does not know it refuses by name", () => {
  assert.throws(() => parseBenchArguments(["latency"]), /no figure "latency"; there are connections-1, /);
  assert.throws(() => parseBenchArguments(["--fast"]), /--fast/);
  assert.throws(() => parseBenchArguments(["--rounds", "0"]), /--rounds "0"/);
  assert.throws(() => parseBenchArguments(["--rounds", "many"]), /--rounds "many"/);
  assert.throws(() => parseBenchArguments(["--threads", "65"]), /--threads "65" .* from 1 to 64/);
});
