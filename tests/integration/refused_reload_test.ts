/** A reload that cannot be had leaves everything as it was, and the next one is not in its way. */
import assert from "node:assert/strict";
import { DirectorError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { freePort } from "../peers/free_port.ts";
import { DaemonSetting, NamedServer } from "./daemon_setting.ts";

const lblc = (name: string) => ({ name, listen: "127.0.0.1:0", scheduler: "lblc", healthCheck: "off" });

/** Resolves when nobody listens there. */
async function refused(port: number): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ port })).close();
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return;
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }
}

Deno.test("reload: what the director has no room for is refused as a whole, and a good file goes in after it", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b] = [stack.use(new NamedServer("a")), stack.use(new NamedServer("b"))];
  const web = (server: NamedServer) => ({
    name: "web",
    listen: "127.0.0.1:0",
    healthCheck: "off",
    destinations: [server.address],
  });
  const setting = stack.use(await DaemonSetting.start([web(a)]));
  const { director } = setting.daemon;
  // 21 fit: with these no check of the file can know that two of its three do not.
  for (let i = 0; i < 20; i++) {
    const words = `-A -t 192.0.2.1:${i + 1} -s lblc`.split(" ");
    assert.equal((await setting.daemon.tool({ words, stdin: "" })).code, 0);
  }
  const before = director.services().length;
  const services = [web(b), ...[1, 2, 3].map((i) => ({ ...lblc(`cache ${i}`), listen: `127.0.0.2:${i}` }))];
  await assert.rejects(setting.reload(services), { message: /^nothing was changed: scheduler lblc needs/ });
  assert.equal(director.services().length, before);
  assert.equal(await setting.ask("web"), "a");
  assert.deepEqual(setting.daemon.status().lastReload?.ok, false);
  assert.equal(setting.daemon.config.services.length, 1);
  const one = { name: "cache 1", listen: "127.0.0.2:1", scheduler: "rr", healthCheck: "off" };
  await setting.reload([web(b), one]);
  assert.equal(await setting.ask("web"), "b");
  assert.equal(director.services().length, before + 1);
});

Deno.test("reload: an update that is refused half-way is taken back in every service", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b] = [stack.use(new NamedServer("a")), stack.use(new NamedServer("b"))];
  const named = (name: string, port: number, server: NamedServer) => ({
    name,
    listen: `127.0.0.1:${port}`,
    healthCheck: "off",
    destinations: [server.address],
  });
  const [one, two] = [await freePort(), await freePort()];
  const setting = stack.use(await DaemonSetting.start([named("one", one, a), named("two", two, a)]));
  const { director } = setting.daemon;
  const add = director.addDestination.bind(director);
  let room = 1;
  director.addDestination = (...words: Parameters<typeof add>) => {
    if (room-- === 0) throw new DirectorError("ENOMEM", "no room");
    return add(...words);
  };
  await assert.rejects(setting.reload([named("one", one, b), named("two", two, b)]), { message: /no room/ });
  assert.deepEqual([await setting.ask("one"), await setting.ask("two")], ["a", "a"]);
});

Deno.test("reload: refused while draining, and no listener opens again", async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new NamedServer("a"));
  const port = await freePort();
  const web = {
    name: "web",
    listen: `127.0.0.1:${port}`,
    healthCheck: "off",
    destinations: [server.address],
  };
  const setting = stack.use(await DaemonSetting.start([web]));
  using client = await Deno.connect({ port });
  await setting.until("the connection is there", () => setting.daemon.engine.liveConnections() === 1);
  const drained = setting.daemon.drain();
  await refused(port);
  await assert.rejects(setting.reload([{ ...web, name: "other" }]), { message: /^draining: / });
  assert.equal(setting.service("web").state, "closed");
  await assert.rejects(Deno.connect({ port }), Deno.errors.ConnectionRefused);
  client.close();
  await drained;
});

Deno.test("reload: a drain that begins while a reload waits keeps every listener closed", async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new NamedServer("a"));
  const [one, two] = [await freePort(), await freePort()];
  const service = (name: string, port: number) => ({
    name,
    listen: `127.0.0.1:${port}`,
    healthCheck: "off",
    destinations: [server.address],
  });
  const setting = stack.use(await DaemonSetting.start([service("one", one)]));
  const client = await Deno.connect({ port: one });
  await setting.until("the connection is there", () => setting.daemon.engine.liveConnections() === 1);
  const reloaded = setting.reload([service("two", two)]).catch(() => {});
  await setting.until("the reload is under way", () => setting.daemon.services[0]?.config.name === "two");
  const drained = setting.daemon.drain();
  await reloaded;
  assert.equal(setting.service("two").state, "closed");
  await refused(two);
  client.close();
  await drained;
});

Deno.test({
  name: "reload: an address that moves from a mark's listeners to a service of its own is open at once",
  // 127.0.0.2 and the like are addresses of this host on Linux alone.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const server = stack.use(new NamedServer("a"));
    const port = await freePort();
    const group = {
      name: "group",
      mark: 7,
      listen: [`127.0.0.2:${port}`, `127.0.0.3:${port}`],
      healthCheck: "off",
      destinations: [server.address],
    };
    const setting = stack.use(await DaemonSetting.start([group]));
    await setting.reload([
      { name: "own", listen: `127.0.0.3:${port}`, healthCheck: "off", destinations: [server.address] },
      { ...group, listen: [`127.0.0.2:${port}`] },
    ]);
    assert.deepEqual(setting.daemon.unbound, []);
    assert.equal(setting.service("own").state, "listening");
    await setting.reload([group]);
    assert.deepEqual(setting.daemon.unbound, []);
  },
});

Deno.test("reload: more scheduler cells than there are is a mistake of the file, at its line", async () => {
  await using setting = await DaemonSetting.start([]);
  const services = Array.from(
    { length: 30 },
    (_, i) => ({ ...lblc(`cache ${i}`), listen: `127.0.0.2:${i + 1}` }),
  );
  await assert.rejects(setting.reload(services), {
    name: "ConfigError",
    message: new RegExp(
      `^test\\.yaml:1:\\d+: scheduler lblc needs \\d+ cells.* of the ${LIMITS.schedulerCells}`,
    ),
  });
});
