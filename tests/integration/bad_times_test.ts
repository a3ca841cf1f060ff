/** What a service does while real servers are down, its names move, or its mode is one that sockets cannot do. */
import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import { IpAddress } from "../../net/address.ts";
import { DaemonSetting, NamedServer } from "./daemon_setting.ts";

const CHECK = { type: "http", path: "/health", interval: "50ms", timeout: "1s", fall: 1, rise: 1 };

/** One service in front of servers `a` and `b`, which come back with it. */
async function openService(stack: AsyncDisposableStack, settings: Readonly<Record<string, unknown>>) {
  const a = stack.use(new NamedServer("a"));
  const b = stack.use(new NamedServer("b"));
  const setting = stack.use(
    await DaemonSetting.start([{
      name: "web",
      listen: "127.0.0.1:0",
      scheduler: "rr",
      healthCheck: CHECK,
      destinations: [a.address, b.address],
      ...settings,
    }]),
  );
  await setting.until("both up", () => setting.states("web").join() === "up,up");
  return { a, b, setting };
}

Deno.test("down: quiesced, its place in the director stays with weight 0; with all down clients are refused", async () => {
  await using stack = new AsyncDisposableStack();
  const { a, b, setting } = await openService(stack, { onDown: "quiesce" });
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
  a.healthy = false;
  await setting.until("a down", () => setting.states("web").join() === "down,up");
  assert.deepEqual(setting.heldWeights("web"), [1, 0]);
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["b"]));
  b.healthy = false;
  await setting.until("both down", () => setting.states("web").join() === "down,down");
  assert.deepEqual(await setting.askTimes("web", 2), new Set(["refused"]));
  assert.equal(setting.daemon.readiness().ready, false);
  a.healthy = b.healthy = true;
  await setting.until("both up again", () => setting.states("web").join() === "up,up");
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
});

Deno.test("down: removed, it leaves the director and comes back newest first", async () => {
  await using stack = new AsyncDisposableStack();
  const { a, setting } = await openService(stack, { onDown: "remove" });
  a.healthy = false;
  await setting.until("a gone", () => setting.heldWeights("web").length === 1);
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["b"]));
  a.healthy = true;
  await setting.until("a back", () => setting.heldWeights("web").length === 2);
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
});

Deno.test("all down: the sorry server answers, and only as long as it must", async () => {
  await using stack = new AsyncDisposableStack();
  const sorry = stack.use(new NamedServer("sorry"));
  const { a, b, setting } = await openService(stack, { sorryServer: sorry.address });
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
  a.healthy = b.healthy = false;
  await setting.until("sorry server in use", () => setting.service("web").sorryServer?.active === true);
  assert.deepEqual(await setting.askTimes("web", 3), new Set(["sorry"]));
  assert.match(setting.daemon.readiness().problems[0]?.reason ?? "", /the sorry server answers/);
  b.healthy = true;
  await setting.until("sorry server released", () => setting.service("web").sorryServer?.active === false);
  assert.deepEqual(await setting.askTimes("web", 3), new Set(["b"]));
});

Deno.test("all down: use-all disbelieves the checks", async () => {
  await using stack = new AsyncDisposableStack();
  const { a, b, setting } = await openService(stack, { whenAllDown: "use-all" });
  a.healthy = b.healthy = false;
  await setting.until("both down", () => setting.states("web").join() === "down,down");
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
});

for (const mode of ["dr", "tun"] as const) {
  Deno.test(`mode ${mode}: relayed over sockets, and called emulated`, async () => {
    await using stack = new AsyncDisposableStack();
    // DR and TUN keep the port, so the real servers have the service's own on other loopback addresses.
    const a = stack.use(new NamedServer("a", "127.0.0.2"));
    const b = stack.use(new NamedServer("b", "127.0.0.3", a.port));
    const setting = stack.use(
      await DaemonSetting.start([{
        name: "web",
        listen: `127.0.0.1:${a.port}`,
        mode,
        scheduler: "rr",
        destinations: [a.address, b.address],
      }]),
    );
    assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
    const { emulated, emulatedReason } = setting.service("web");
    assert.equal(emulated, true);
    assert.match(emulatedReason, new RegExp(`${mode} needs the packet engine`));
  });
}

Deno.test("names: two of one address are one destination, until they differ", async () => {
  await using stack = new AsyncDisposableStack();
  const a = stack.use(new NamedServer("a", "127.0.0.2"));
  const b = stack.use(new NamedServer("b", "127.0.0.3", a.port));
  const addresses = new Map([["first.test", "127.0.0.2"], ["second.test", "127.0.0.2"]]);
  const setting = stack.use(
    await DaemonSetting.start(
      [{
        name: "web",
        listen: "127.0.0.1:0",
        scheduler: "rr",
        destinations: [`first.test:${a.port}`, `second.test:${b.port}`],
      }],
      // A time to live of 0 is taken as the least that is believed: 1 s.
      (host) =>
        Promise.resolve({ addresses: [IpAddress.parse(addresses.get(host) ?? "127.0.0.9")], ttlMs: 0 }),
    ),
  );
  await setting.until("one stands for both", () => setting.states("web").join() === "up,duplicate");
  assert.deepEqual(await setting.askTimes("web", 3), new Set(["a"]));
  // They change places in one step of each: the address of one is that of the other for a while.
  addresses.set("first.test", "127.0.0.3");
  await setting.until("both stand", () => setting.states("web").join() === "up,up");
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
  addresses.set("first.test", "127.0.0.2").set("second.test", "127.0.0.3");
  const hold = () => setting.service("web").destinations.map((it) => it.address.split(":")[0]).join();
  await setting.until("changed places", () => hold() === "127.0.0.2,127.0.0.3");
  assert.deepEqual(await setting.askTimes("web", 4), new Set(["a", "b"]));
});

Deno.test("names: one without an address is told once, not at every retry", async () => {
  await using stack = new AsyncDisposableStack();
  const lines: string[] = [];
  await configure({
    sinks: { lines: ({ level, message }) => void lines.push(`${level} ${message.join("")}`) },
    loggers: [
      { category: ["lvsd", "tests"], lowestLevel: "error", sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
    reset: true,
  });
  stack.defer(() => reset());
  let asked = 0;
  const service = { name: "web", listen: "127.0.0.1:0", healthCheck: "off", destinations: ["app.test:80"] };
  const setting = stack.use(
    await DaemonSetting.start([service], () => {
      asked++;
      return Promise.reject(new Error("no such host"));
    }),
  );
  await setting.until("asked again", () => asked === 2);
  // What the second answer leads to is done before the next timer.
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(lines.filter((it) => it.includes("app.test has no address")).length, 1, lines.join("\n"));
});
