/** One virtual service behind a firewall mark: several listeners, one decision. */
import assert from "node:assert/strict";
import { freePort } from "../peers/free_port.ts";
import { DaemonSetting, NamedServer } from "./daemon_setting.ts";

// 127.0.0.2 and the like are addresses of this host on Linux alone.
const ignore = Deno.build.os !== "linux";

async function ask(address: string): Promise<string> {
  const answer = await fetch(`http://${address}/`, { headers: { connection: "close" } });
  return await answer.text();
}

function addresses(setting: DaemonSetting): string[] {
  return setting.service("group").listen.split(", ");
}

Deno.test({
  name: "mark: rr over two listeners is one rr, and the status tells both",
  ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const [a, b] = [stack.use(new NamedServer("a")), stack.use(new NamedServer("b"))];
    const service = {
      name: "group",
      mark: 7,
      listen: ["127.0.0.1:0", "127.0.0.2:0"],
      scheduler: "rr",
      healthCheck: "off",
      destinations: [a.address, b.address],
    };
    const setting = stack.use(await DaemonSetting.start([service]));
    const [one = "", two = ""] = addresses(setting);
    const answers = [await ask(one), await ask(two), await ask(two), await ask(one)];
    assert.deepEqual(answers, ["b", "a", "b", "a"]);
    const { mark, state, counters } = setting.service("group");
    assert.deepEqual([mark, state, counters.connections], [7, "listening", 4]);
    assert.deepEqual(setting.daemon.director.services()[0]?.key, { mark: 7, family: 4 });

    await setting.reload([{ ...service, listen: ["127.0.0.2:0", "127.0.0.3:0"] }]);
    const [kept = "", fresh = ""] = addresses(setting);
    assert.equal(kept, two);
    assert.ok(fresh.startsWith("127.0.0.3:"));
    assert.deepEqual([await ask(fresh), await ask(kept)], ["b", "a"], "the cursor lives on");
    await setting.until("the old listener is closed", () => addresses(setting).length === 2);
    await assert.rejects(ask(one));
  },
});

Deno.test({
  name: "mark: a client stays with its server across listeners, and keeps its port",
  ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const port = await freePort();
    stack.use(new NamedServer("a", "127.0.0.11", port));
    stack.use(new NamedServer("b", "127.0.0.12", port));
    const setting = stack.use(
      await DaemonSetting.start([{
        name: "group",
        mark: 7,
        listen: [`127.0.0.1:${port}`, `127.0.0.2:${port}`],
        scheduler: "rr",
        persistence: "5m",
        destinations: ["127.0.0.11", "127.0.0.12"],
      }]),
    );
    await setting.until("both checked", () => setting.states("group").join() === "up,up");
    const answers = new Set<string>();
    for (const address of [...addresses(setting), ...addresses(setting)]) answers.add(await ask(address));
    assert.deepEqual(answers, new Set(["b"]));
    const [template] = [...setting.daemon.director.connections()].filter((it) => it.isTemplate);
    assert.equal(`${template?.virtual.address}:${template?.virtual.port}`, "0.0.0.7:0");
  },
});

Deno.test("mark: without a listener it waits for rules, and is ready", async () => {
  await using setting = await DaemonSetting.start([
    { name: "group", mark: 7, listen: "off", healthCheck: "off", destinations: ["127.0.0.1:1"] },
  ]);
  const { listen, state, mark } = setting.service("group");
  assert.deepEqual([listen, state, mark], ["", "listening", 7]);
  assert.equal(setting.daemon.readiness().ready, true);
});
