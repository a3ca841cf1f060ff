/**
 * What every check type owes, against real listeners: the right verdict with a detail for people, an end when it is told to
 * end, bounded reading, and nothing left behind. Deno's sanitizers watch each test for sockets, processes and timers.
 */
import assert from "node:assert/strict";
import { SystemClock } from "../../clock.ts";
import type { Check, CheckResult, Dialer } from "../../healthcheck/check.ts";
import { CheckRun } from "../../healthcheck/check_run.ts";
import { SystemDialer } from "../../healthcheck/dialer.ts";
import { LIMITS } from "../../limits.ts";
import type { Family } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import {
  BEHAVIOURS,
  type Case,
  type Member,
  type ServerUnderTest,
  type Verdict,
} from "./healthcheck/behaviour.ts";
import { MEMBERS } from "./healthcheck/members.ts";
import { closedPort, fullListener } from "./healthcheck/tcp_servers.ts";
import { WatchedDialer } from "./healthcheck/watched_dialer.ts";

const clock = new SystemClock();
/** For servers that will not answer, and for those that will. */
const PATIENCE_MS = { short: 250, long: 10_000 } as const;

const HAS_IPV6: boolean = await closedPort(6).then(() => true, () => false);

for (const member of MEMBERS) {
  for (const family of [4, 6] as const) {
    for (const behaviour of BEHAVIOURS) {
      const it = member.cases[behaviour];
      if ("cannot" in it) continue;
      conformanceTest(`${member.name}: server ${behaviour}`, family, () => judges(member, it, family));
      conformanceTest(
        `${member.name}: aborted while server ${behaviour}`,
        family,
        () => aborts(member, it, family),
      );
    }
  }
}

for (const member of MEMBERS.filter(({ name }) => ["tcp", "http", "https"].includes(name))) {
  conformanceTest(`${member.name}: nobody answers the connect`, 4, async () => {
    if (Deno.build.os !== "linux") return; // elsewhere a full queue refuses
    using dialer = new SystemDialer(clock);
    await using server = await fullListener(4);
    const { result } = await run(member.check, server.endpoint, dialer, PATIENCE_MS.short);
    assertVerdict(result, ["timeout"]);
    assert.match(result.detail, /no connection/);
  });
}

Deno.test("conformance: every type meets every behaviour, or says why not", () => {
  for (const member of MEMBERS) {
    assert.deepEqual(Object.keys(member.cases).sort(), [...BEHAVIOURS].sort(), member.name);
  }
});

async function judges(
  member: Member,
  { serve, verdict, check = member.check }: Case,
  family: Family,
): Promise<void> {
  using system = new SystemDialer(clock);
  const dialer = new WatchedDialer(member.through?.(system) ?? system);
  await using server = await serve(family);
  // A check that waits out its time-out is given a short one.
  const waits = verdict === "up" ? member.name.includes("no answer") : verdict.includes("timeout");
  const { result, ended } = await run(
    check,
    server.endpoint,
    dialer,
    waits ? PATIENCE_MS.short : PATIENCE_MS.long,
  );
  await ended;
  assertVerdict(result, verdict);
  assert.notEqual(result.detail, "", "a detail for people");
  assert.ok(result.detail.length < 400, result.detail);
  assert.ok([...result.detail].every((it) => it >= " " && it !== "\x7f"), `one line: ${result.detail}`);
  const most = LIMITS.healthAnswerBytes + LIMITS.healthHeaderBytes;
  assert.ok(dialer.bytesRead <= most, `${dialer.bytesRead} bytes read`);
  assert.ok(dialer.connects <= 1, "one connection, no second try");
  await allClosed(server);
}

/** Whatever the server does, an abort ends the run soon and leaves nothing. */
async function aborts(member: Member, { serve, check = member.check }: Case, family: Family): Promise<void> {
  using system = new SystemDialer(clock);
  const dialer = member.through?.(system) ?? system;
  await using server = await serve(family);
  for (const afterMs of [0, 5]) {
    const controller = new AbortController();
    const running = check.run(server.endpoint, dialer, controller.signal).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const abortedMs = clock.nowMs();
    controller.abort();
    await running;
    // SIGTERM is enough for the programs here; their grace period would show.
    assert.ok(clock.nowMs() - abortedMs < LIMITS.healthKillGraceMs, "ended late");
  }
  const before = AbortSignal.abort();
  await check.run(server.endpoint, dialer, before).catch(() => undefined);
  await allClosed(server);
}

async function run(
  check: Check,
  target: Endpoint,
  dialer: Dialer,
  timeoutMs: number,
): Promise<{ result: CheckResult; ended: Promise<void> }> {
  const told = Promise.withResolvers<CheckResult>();
  const { ended } = new CheckRun({ check, target, timeoutMs, clock, dialer }, told.resolve);
  return { result: await told.promise, ended };
}

function assertVerdict(result: CheckResult, verdict: Verdict): void {
  if (result.up) assert.equal("up", verdict, result.detail);
  else assert.ok(verdict !== "up" && verdict.includes(result.reason), `${result.reason}: ${result.detail}`);
}

/** The server's side has seen every connection end. */
async function allClosed(server: ServerUnderTest): Promise<void> {
  const untilMs = clock.nowMs() + PATIENCE_MS.long;
  while (server.open() > 0) {
    assert.ok(clock.nowMs() < untilMs, `${server.open()} connections left open`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function conformanceTest(name: string, family: Family, fn: () => Promise<void>): void {
  const missing = family === 6 && !HAS_IPV6;
  if (missing && Deno.env.get("CI") === "true") fn = () => assert.fail("this machine has no ::1");
  Deno.test({
    name: `${name}, IPv${family}${missing ? " (skipped: no ::1 here)" : ""}`,
    ignore: missing && Deno.env.get("CI") !== "true",
    fn,
  });
}
