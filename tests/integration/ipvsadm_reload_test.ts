/** Services of the configuration file and of ipvsadm side by side, and what a reload does to each. */
import assert from "node:assert/strict";
import { NamedServer } from "./daemon_setting.ts";
import { freePort } from "../peers/free_port.ts";
import { LvsdProcess } from "../peers/lvsd_process.ts";
import { ToolPeer } from "../peers/tool_peer.ts";

Deno.test("a reload resets the file's services, leaves ipvsadm's alone, and says what it undid", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b] = [stack.use(new NamedServer("a")), stack.use(new NamedServer("b"))];
  const [web, api, hand] = [await freePort(), await freePort(), await freePort()];
  const config = {
    services: [
      {
        name: "web",
        listen: `127.0.0.1:${web}`,
        scheduler: "rr",
        destinations: [{ address: a.address, weight: 3 }],
      },
      { name: "api", listen: `127.0.0.1:${api}`, scheduler: "rr", destinations: [a.address] },
    ],
  };
  const lvsd = stack.use(await LvsdProcess.start(config));
  const tool = new ToolPeer(lvsd.controlSocket);
  await tool.run(`-A -t 127.0.0.1:${hand} -s rr`);
  await tool.run(`-a -t 127.0.0.1:${hand} -r ${b.address} -m`);
  await tool.run(`-e -t 127.0.0.1:${web} -r ${a.address} -m -w 7`);
  await tool.run(`-a -t 127.0.0.1:${web} -r ${b.address} -m -w 9`);
  await tool.run(`-E -t 127.0.0.1:${web} -s wrr`);
  await tool.run(`-D -t 127.0.0.1:${api}`);
  await tool.run("--set 100 0 0");

  assert.match(await tool.run("-L --lvsd"), /name=web owner=file, changed by ipvsadm/);
  const mine = await tool.run(`-L -n -t 127.0.0.1:${hand}`);
  const outcome = await tool.reload();
  assert.deepEqual(outcome.changes, [
    'service "web": changes made by ipvsadm undone',
    'service "api": changes made by ipvsadm undone',
  ]);
  const own = await tool.run("-L -n --lvsd");
  assert.match(own, /name=web owner=file engine/);
  assert.match(own, new RegExp(`TCP 127\\.0\\.0\\.1:${hand} rr .*owner=ipvsadm`));
  assert.match(await tool.run(`-L -n -t 127.0.0.1:${web}`), /rr\n {2}-> \S+ +Masq +3 +0 +\d+ *\n$/);
  assert.match(await tool.run(`-L -n -t 127.0.0.1:${api}`), /Masq +1/);
  assert.equal(await tool.run(`-L -n -t 127.0.0.1:${hand}`), mine);
  assert.equal(await tool.run("-L --timeout"), "Timeout (tcp tcpfin udp): 100 120 300\n");
  assert.equal((await tool.reload()).message, "nothing has changed");

  // The file comes to name a service that ipvsadm has made.
  await lvsd.write({
    services: [...config.services, { name: "hand", listen: `127.0.0.1:${hand}`, destinations: [a.address] }],
  });
  const claimed = await tool.reload();
  assert.ok(claimed.changes.includes('service "hand" was made by ipvsadm and is the file\'s now'));
  assert.match(await tool.run("-L -n --lvsd"), /name=hand owner=file/);
  assert.doesNotMatch(await tool.run(`-L -n -t 127.0.0.1:${hand}`), new RegExp(b.address));
});

Deno.test("-L shows the weight in force, -S the configured one; a server that is down and removed is saved", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b] = [stack.use(new NamedServer("a")), stack.use(new NamedServer("b"))];
  const port = await freePort();
  const check = { type: "http", path: "/health", interval: "100ms", fall: 1, rise: 1 };
  const service = (onDown: string) => ({
    services: [{
      name: "web",
      listen: `127.0.0.1:${port}`,
      scheduler: "rr",
      onDown,
      healthCheck: check,
      destinations: [{ address: a.address, weight: 3 }, { address: b.address, weight: 5 }],
    }],
  });
  const lvsd = stack.use(await LvsdProcess.start(service("quiesce")));
  const tool = new ToolPeer(lvsd.controlSocket);
  b.healthy = false;
  await until(async () => / 0 +0 +0 *\n/.test(await tool.run("-L -n")));
  const saved = await tool.run("-S -n");
  assert.match(saved, new RegExp(`-r ${b.address} -m -w 5\\n`));
  await lvsd.write(service("remove"));
  await tool.reload();
  assert.doesNotMatch(await tool.run("-L -n"), new RegExp(b.address));
  assert.equal(await tool.run("-S -n"), saved);
  assert.match(await tool.run("-L --lvsd"), new RegExp(`${b.port} nat weight=0/5 absent down`));
});

/** Asks again while other work of this process has its turn. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const lateMs = performance.now() + 10_000;
  while (!await condition()) {
    if (performance.now() > lateMs) throw new Error("never seen");
  }
}

Deno.test("a service behind a mark that a reload removed is nobody's until its connections have ended", async () => {
  await using stack = new AsyncDisposableStack();
  const a = stack.use(new NamedServer("a"));
  const port = await freePort();
  const marked = {
    name: "marked",
    mark: 7,
    listen: [`127.0.0.1:${port}`],
    scheduler: "rr",
    destinations: [a.address],
  };
  const lvsd = stack.use(await LvsdProcess.start({ services: [marked] }));
  const tool = new ToolPeer(lvsd.controlSocket);
  assert.match(await tool.run("-L -n"), /FWM {2}7 rr\n/);
  const held = await Deno.connect({ port });
  await until(async () => / 1 +0 *\n/.test(await tool.run("-L -n")));
  await lvsd.write({ services: [] });
  await tool.reload();
  assert.doesNotMatch(await tool.run("-L -n"), /FWM/);
  assert.equal(await tool.refusal("-D -f 7"), "No such service");
  await tool.run("-C");
  held.close();
  await until(async () => (await tool.answer("-A -f 7 -s rr")).code === 0);
  assert.match(await tool.run("-L -n"), /FWM {2}7 rr\n$/);
});
