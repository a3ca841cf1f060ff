/**
 * What a scrape says, that it is well-formed whatever the names are, and that docs/metrics.md is complete.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { METRICS, renderMetrics } from "../../../admin/metrics.ts";
import type { Readiness, Status } from "../../../admin/source.ts";
import { lint, type MetricFamily, parseExposition } from "./exposition.ts";
import { COUNTERS, destinationStatus, directorStatus, serviceStatus } from "./fake_source.ts";

const READY: Readiness = { ready: true, problems: [] };

async function scrape(
  status: Status,
  readiness: Readiness = READY,
): Promise<ReadonlyMap<string, MetricFamily>> {
  const families = parseExposition(await renderMetrics(status, readiness));
  return new Map(families.map((family) => [family.name, family]));
}

/** Value of the one series with these labels, `undefined` when there is none. */
function valueOf(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name);
  assert.ok(family, `no metric ${name}`);
  const found = family.samples.filter((it) =>
    Object.entries(labels).every(([key, value]) => it.labels[key] === value)
  );
  assert.ok(found.length <= 1, `${found.length} series of ${name} have ${JSON.stringify(labels)}`);
  return found[0]?.value;
}

const DOWN = destinationStatus({
  state: "down",
  health: { up: false, reason: "path", detail: "", sinceSeconds: 1, lastCheckWall: null, history: [] },
});

/** Has a series for every metric. */
const FULL: Status = directorStatus({
  services: [
    serviceStatus({ packetsCounted: true, sorryServer: { address: "127.0.0.1:9", active: true } }),
    serviceStatus({
      name: "dns",
      protocol: "udp",
      destinations: [destinationStatus({ health: null, state: "unchecked" })],
    }),
    serviceStatus({ name: "dead", destinations: [DOWN] }),
  ],
});

Deno.test("metrics: every one passes the rules of promtool's linter", async () => {
  const families = await scrape(FULL);
  assert.deepEqual([...families.keys()].sort(), METRICS.map((it) => it.name).sort());
  for (const family of families.values()) {
    assert.deepEqual(lint(family), []);
    assert.match(family.name, /^lvs_/);
    assert.match(family.help, /^[A-Z0-9].*\.$/, `${family.name}: help is a sentence`);
    assert.ok(family.samples.length > 0, `${family.name} has no series`);
  }
});

Deno.test("metrics: the linter finds each breach", () => {
  const good: MetricFamily = { name: "lvs_x", help: "h", type: "gauge", samples: [] };
  assert.deepEqual(lint(good), []);
  const bad: Partial<MetricFamily>[] = [
    { help: "" },
    { type: "untyped" },
    { name: "lvs_fooBar" },
    { name: "lvs:x" },
    { type: "counter" },
    { name: "lvs_x_total" },
    { name: "lvs_x_count" },
    { name: "lvs_gauge_x" },
    { name: "lvs_x_ms" },
    { name: "lvs_x_milliseconds" },
    { samples: [{ labels: { aB: "" }, value: 1 }] },
    { samples: [{ labels: { le: "" }, value: 1 }] },
  ];
  for (const change of bad) assert.equal(lint({ ...good, ...change }).length, 1, JSON.stringify(change));
});

Deno.test("metrics: docs/metrics.md has a row for every metric, and no other", () => {
  const page = Deno.readTextFileSync(fileURLToPath(new URL("../../../docs/metrics.md", import.meta.url)));
  const rows = page.split("\n").filter((line) => line.startsWith("| `lvs_"))
    .map((line) => line.split("|").map((cell) => cell.trim()).join("|"));
  const wanted = METRICS.map(({ name, type, labels, help }) =>
    `|\`${name}\`|${type}|${labels.map((label) => `\`${label}\``).join(", ")}|${help}|`
  );
  assert.deepEqual(rows, wanted);
});

Deno.test("metrics: the values are those of the status", async () => {
  const families = await scrape(FULL, { ready: false, problems: [{ service: "web", reason: "unbound" }] });
  const web = { service: "web" };
  const server = { ...web, destination: "127.0.0.1:3001" };
  assert.equal(valueOf(families, "lvs_ready"), 0);
  assert.equal(valueOf(families, "lvs_build_info", { version: "9.9.9", engine: "portable" }), 1);
  assert.equal(valueOf(families, "lvs_start_time_seconds"), Date.UTC(2026, 0, 2, 3, 4, 5) / 1_000);
  assert.equal(valueOf(families, "lvs_memory_resident_bytes"), 80_000_000);
  assert.equal(valueOf(families, "lvs_drops_total", { reason: "no-service" }), 4);
  assert.equal(valueOf(families, "lvs_service_connections_total", web), 7);
  assert.equal(valueOf(families, "lvs_service_bytes_total", { ...web, direction: "in" }), 700);
  assert.equal(valueOf(families, "lvs_service_bytes_total", { ...web, direction: "out" }), 800);
  assert.equal(valueOf(families, "lvs_service_packets_total", { ...web, direction: "out" }), 80);
  assert.equal(
    valueOf(families, "lvs_service_connections_ended_total", { ...web, reason: "client-reset" }),
    1,
  );
  assert.equal(valueOf(families, "lvs_service_state", { ...web, state: "listening" }), 1);
  assert.equal(valueOf(families, "lvs_service_state", { ...web, state: "unbound" }), undefined);
  assert.equal(valueOf(families, "lvs_service_sorry_server_active", web), 1);
  assert.equal(valueOf(families, "lvs_destination_active_connections", server), 2);
  assert.equal(valueOf(families, "lvs_destination_inactive_connections", server), 3);
  assert.equal(valueOf(families, "lvs_destination_bytes_total", { ...server, direction: "in" }), 700);
  assert.equal(valueOf(families, "lvs_destination_health_age_seconds", server), 61);
});

Deno.test("metrics: packets that nobody counted are absent, not 0", async () => {
  const families = await scrape(directorStatus({ services: [serviceStatus({ packetsCounted: false })] }));
  assert.deepEqual(families.get("lvs_service_packets_total")?.samples, []);
  assert.deepEqual(families.get("lvs_destination_packets_total")?.samples, []);
});

Deno.test("metrics: what is emulated says so, with the reason", async () => {
  const reason = "DR needs the packet engine";
  const families = await scrape(
    directorStatus({ services: [serviceStatus({ emulated: true, emulatedReason: reason })] }),
  );
  assert.equal(valueOf(families, "lvs_service_emulated", { service: "web", reason }), 1);
});

Deno.test("metrics: a dead path and a dead service have reasons of their own", async () => {
  const families = await scrape(FULL);
  const series = families.get("lvs_destination_down_reason")?.samples ?? [];
  assert.deepEqual(series.map(({ labels, value }) => [labels.service, labels.reason, value]), [[
    "dead",
    "path",
    1,
  ]]);
});

Deno.test("metrics: up is 1 for up and unchecked, 0 for all else", async () => {
  const states = { up: 1, unchecked: 1, down: 0, loop: 0, unresolved: 0, duplicate: 0 } as const;
  for (const state of ["up", "unchecked", "down", "loop", "unresolved", "duplicate"] as const) {
    const families = await scrape(
      directorStatus({ services: [serviceStatus({ destinations: [destinationStatus({ state })] })] }),
    );
    assert.equal(valueOf(families, "lvs_destination_up"), states[state], state);
    assert.equal(valueOf(families, "lvs_destination_state", { state }), 1);
  }
});

Deno.test("metrics: a refused reload shows, and a later good one takes it back", async () => {
  const at = (ok: boolean) =>
    directorStatus({ lastReload: { atWall: "2026-01-02T03:05:00.000Z", ok, message: "" } });
  assert.equal(valueOf(await scrape(directorStatus()), "lvs_config_last_reload_successful"), 1);
  assert.equal(valueOf(await scrape(at(false)), "lvs_config_last_reload_successful"), 0);
  assert.equal(valueOf(await scrape(at(true)), "lvs_config_last_reload_successful"), 1);
  const time = valueOf(await scrape(at(true)), "lvs_config_last_reload_timestamp_seconds");
  assert.equal(time, Date.UTC(2026, 0, 2, 3, 5, 0) / 1_000);
});

Deno.test("metrics: a destination that left is gone from the next scrape", async () => {
  assert.equal((await scrape(FULL)).get("lvs_destination_weight")?.samples.length, 3);
  assert.equal(
    (await scrape(directorStatus({ services: [] }))).get("lvs_destination_weight")?.samples.length,
    0,
  );
});

Deno.test("metrics: two destinations of one name keep their own counters", async () => {
  const destinations = ["127.0.0.1:1", "127.0.0.1:2"].map((address) =>
    destinationStatus({ name: "same", address })
  );
  const families = await scrape(directorStatus({ services: [serviceStatus({ destinations })] }));
  const series = families.get("lvs_destination_connections_total")?.samples ?? [];
  assert.deepEqual(series.map((it) => it.labels.destination), ["same (127.0.0.1:1)", "same (127.0.0.1:2)"]);
  assert.deepEqual(series.map((it) => it.value), [COUNTERS.connections, COUNTERS.connections]);
});

Deno.test("metrics: other work runs between two metrics", async () => {
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await renderMetrics(FULL, READY);
  isDone = true;
  assert.ok(turns >= METRICS.length, `${turns} turns for ${METRICS.length} metrics`);
});

Deno.test("metrics, property: any name comes back as it was, in one well-formed scrape", async () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "binary" }).map((it) => it.toWellFormed()),
    fc.string({ unit: fc.constantFrom('"', "\\", "\n", "\r", "n", "{", "}", ",", "=", " ", "#", "\u2028") }),
  );
  const names = fc.uniqueArray(text, { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(names, names, text, async (serviceNames, destinationNames, reason) => {
      const destinations = destinationNames.map((name) => destinationStatus({ name, address: name }));
      const services = serviceNames.map((name) =>
        serviceStatus({ name, destinations, emulatedReason: reason, listen: reason, ends: { [reason]: 3 } })
      );
      const families = await scrape(directorStatus({ services, version: reason }));
      const series = families.get("lvs_destination_connections_total")?.samples ?? [];
      assert.deepEqual(
        series.map((it) => [it.labels.service, it.labels.destination]),
        serviceNames.flatMap((service) => destinationNames.map((destination) => [service, destination])),
      );
      const ends = families.get("lvs_service_connections_ended_total")?.samples ?? [];
      assert.deepEqual(ends.map((it) => it.labels.reason), serviceNames.map(() => reason));
    }),
    { numRuns: 200 },
  );
});

Deno.test("metrics, property: any count is printed exactly", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(Number.MAX_SAFE_INTEGER), async (bytesIn) => {
      const counters = { ...COUNTERS, bytesIn };
      const families = await scrape(directorStatus({ services: [serviceStatus({ counters })] }));
      assert.equal(valueOf(families, "lvs_service_bytes_total", { direction: "in" }), bytesIn);
    }),
    { numRuns: 100 },
  );
});
