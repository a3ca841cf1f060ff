/** The picture of the ratios. */
import assert from "node:assert/strict";
import { chart } from "../../../bench/chart.ts";
import type { SideResult } from "../../../bench/report.ts";

function side(name: string, ratio: number | null): SideResult {
  const spread = (value: number) => ({ median: value, lowest: value / 2, highest: value * 2 });
  return {
    side: name,
    values: [],
    errors: 0,
    absolute: spread(1),
    ratio: ratio === null ? null : spread(ratio),
    processor: null,
  };
}

Deno.test("bench: the picture has a bar for each ratio, as long as it, cut where it is too long", () => {
  const svg = chart({
    startedWall: "",
    machine: "a <small> machine",
    rounds: 9,
    threads: 1,
    servers: [],
    settings: [],
    picks: [],
    figures: [{
      name: "requests",
      title: "",
      unit: "/s",
      better: "more",
      client: "wrk",
      processorUnit: "us each",
      reference: "haproxy",
      sides: [side("lvsd-native", 1.5), side("direct", 30), side("haproxy", 1), side("pen", null)],
    }],
  });
  const widths = [...svg.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, it]) => Number(it));
  assert.deepEqual(widths, [285, 570, 190]);
  assert.match(svg, /a &lt;small> machine; 1 thread\(s\) a side, median of 9 rounds/);
  assert.match(svg, />30\.00x</);
  assert.doesNotMatch(svg, />pen</);
});
