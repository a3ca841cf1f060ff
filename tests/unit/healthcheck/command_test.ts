/** Programs for checks: what they see, and that they end. */
import assert from "node:assert/strict";
import { ManualClock, SystemClock } from "../../../clock.ts";
import { CheckError } from "../../../healthcheck/check.ts";
import { SystemDialer } from "../../../healthcheck/dialer.ts";
import { makeCheck } from "../../../healthcheck/make_check.ts";
import { LIMITS } from "../../../limits.ts";
import { IpAddress } from "../../../net/address.ts";

const never = new AbortController().signal;
const target = { address: IpAddress.parse("2001:db8::1"), port: 8_080 };
const ignore = Deno.build.os === "windows";

function unixTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${ignore ? " (skipped: no /bin/sh here)" : ""}`, ignore, fn });
}

/** A script that runs: it has written a word into the file that it got as `$1`. */
interface Running {
  readonly word: string;
  readonly end: Promise<unknown>;
  readonly hasEnded: () => boolean;
}

async function start(script: string, clock: ManualClock, signal: AbortSignal): Promise<Running> {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/word`;
  let ended = false;
  const end = new SystemDialer(clock).run(["/bin/sh", "-c", script, "sh", file], {}, signal)
    .then(() => undefined, (error) => error)
    .finally(() => ended = true);
  let word = "";
  while (!word.endsWith("\n") && !ended) {
    await new Promise((next) => setTimeout(next, 2));
    word = await Deno.readTextFile(file).catch(() => "");
  }
  await Deno.remove(directory, { recursive: true });
  return { word, end, hasEnded: () => ended };
}

function assertTimeout(error: unknown): void {
  assert.ok(error instanceof CheckError && error.reason === "timeout", `${error}`);
}

unixTest(
  "exec: the program sees its environment, the address and the port, PATH, and nothing else of lvsd's",
  async () => {
    const script =
      "env | cut -d= -f1 | grep -v '^PWD$\\|^_$\\|^SHLVL$' | sort | tr '\\n' ' '; echo $LVSD_ADDRESS $LVSD_PORT $LVSD_VIP";
    const environment = { LVSD_VIP: "192.0.2.80", MY: "own" };
    const check = makeCheck({ type: "exec", command: ["/bin/sh", "-c", script], environment });
    Deno.env.set("LVSD_TEST_SECRET", "hidden");
    const result = await check.run(target, new SystemDialer(new SystemClock()), never);
    Deno.env.delete("LVSD_TEST_SECRET");
    const expected = "LVSD_ADDRESS LVSD_PORT LVSD_VIP MY PATH 2001:db8::1 8080 192.0.2.80";
    assert.deepEqual(result, { up: true, detail: `exit 0: "${expected}"` });
  },
);

unixTest("exec: arguments reach the program as they are, without a shell", async () => {
  const check = makeCheck({
    type: "exec",
    command: ["printf", "%s|", "a b", "$HOME", ";exit 1"],
    environment: {},
  });
  const result = await check.run(target, new SystemDialer(new SystemClock()), never);
  assert.deepEqual(result, { up: true, detail: 'exit 0: "a b|$HOME|;exit 1|"' });
});

unixTest("exec: both outputs are kept up to the limit, the rest is thrown away", async () => {
  const dialer = new SystemDialer(new SystemClock());
  const outcome = await dialer.run(
    ["/bin/sh", "-c", "echo no >&2; head -c 3000000 /dev/zero; exit 7"],
    {},
    never,
  );
  assert.equal(outcome.code, 7);
  assert.equal(outcome.output.length, LIMITS.healthAnswerBytes);
});

unixTest("exec: a child left behind with the output open does not hold the check up", async () => {
  const clock = new SystemClock();
  const startedMs = clock.nowMs();
  const outcome = await new SystemDialer(clock).run(["/bin/sh", "-c", "sleep 20 & echo $!"], {}, never);
  assert.ok(clock.nowMs() - startedMs < 10_000);
  Deno.kill(Number(outcome.output), "SIGKILL");
});

unixTest("exec: SIGTERM first, and one that heeds it ends at once", async () => {
  const controller = new AbortController();
  const clock = new ManualClock();
  const running = await start("echo ready > $1; while :; do sleep 0.01; done", clock, controller.signal);
  controller.abort();
  assertTimeout(await running.end);
  assert.equal(clock.pendingTimers, 0, "the SIGKILL timer is gone");
});

unixTest(
  "exec: one that ignores SIGTERM is killed after the grace period, its children with it",
  async () => {
    const controller = new AbortController();
    const clock = new ManualClock();
    const script = "trap '' TERM; sleep 600 & echo $! > $1; while :; do sleep 0.01; done";
    const running = await start(script, clock, controller.signal);
    controller.abort();
    clock.advance(LIMITS.healthKillGraceMs - 1);
    await new Promise((next) => setTimeout(next, 50));
    assert.equal(running.hasEnded(), false, "it has its grace period");
    clock.advance(1);
    assertTimeout(await running.end);
    await gone(Number(running.word));
    assert.equal(clock.pendingTimers, 0);
  },
);

unixTest("exec: a child that ignores SIGTERM does not outlive the program that heeded it", async () => {
  const controller = new AbortController();
  const script = "sh -c \"trap '' TERM; echo \\$\\$ > $1; exec sleep 600\" & while :; do sleep 0.01; done";
  const running = await start(script, new ManualClock(), controller.signal);
  controller.abort();
  assertTimeout(await running.end);
  await gone(Number(running.word));
});

/** Waits until a process has ended: a killed one stays a zombie until its new parent collects it. */
async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    const state = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
    if (state === "" || / [ZX] /.test(state)) return;
    await new Promise((next) => setTimeout(next, 5));
  }
  assert.fail(`process ${pid} is still there`);
}
