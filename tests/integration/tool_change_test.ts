/** What commands of ipvsadm change in a running daemon, seen from inside. */
import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import type { Daemon } from "../../daemon/daemon.ts";
import { freePort } from "../peers/free_port.ts";
import { DaemonSetting } from "./daemon_setting.ts";
import { EchoClient, startEcho } from "./echo_servers.ts";

/** Runs a command that must succeed; resolves with its output. */
async function tool(daemon: Daemon, words: string): Promise<string> {
  const { code, stdout, stderr } = await daemon.tool({ words: words.split(" "), stdin: "" });
  assert.equal(code, 0, stderr);
  return stdout;
}

Deno.test("ipvsadm: an edit of nothing but the tunnel reaches the director", async () => {
  await using setting = await DaemonSetting.start([]);
  const { daemon } = setting;
  await tool(daemon, "-A -t 192.0.2.1:80 -s rr");
  await tool(daemon, "-a -t 192.0.2.1:80 -r 10.0.0.1 -i -w 1");
  await tool(daemon, "-e -t 192.0.2.1:80 -r 10.0.0.1 -i -w 1 --tun-type gue --tun-port 6080");
  const rules = await tool(daemon, "-S -n");
  assert.match(rules, /-r 10\.0\.0\.1:80 -i -w 1 --tun-type gue --tun-port 6080/);
});

Deno.test("ipvsadm -D: connections that live keep the name and the counts of their service until the last has ended", async () => {
  await using stack = new AsyncDisposableStack();
  let ended = "";
  let counted: number | undefined;
  let handle = -1;
  await configure({
    sinks: {
      ends: ({ message }) => {
        const line = message.join("");
        if (!/^connection .* ended: /.test(line)) return;
        ended = line;
        counted = daemon.events.counts(handle).ends.get("done");
      },
    },
    loggers: [
      { category: ["lvsd", "tests"], lowestLevel: "info", sinks: ["ends"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
    reset: true,
  });
  stack.defer(() => reset());
  const server = stack.use(await startEcho());
  const setting = stack.use(await DaemonSetting.start([]));
  const { daemon } = setting;
  const port = await freePort();
  await tool(daemon, `-A -t 127.0.0.1:${port} -s rr`);
  await tool(daemon, `-a -t 127.0.0.1:${port} -r ${server.address} -m`);
  const client = await EchoClient.open(port);
  await client.exchange("hello");
  handle = daemon.services[0]?.handle ?? -1;
  await tool(daemon, `-D -t 127.0.0.1:${port}`);
  client.close();
  await setting.until("its end in the log", () => ended !== "");
  assert.match(ended, new RegExp(`^connection "?tcp 127\\.0\\.0\\.1:${port}"? `));
  assert.equal(counted, 1);
  await setting.until("its counts are forgotten", () => daemon.events.counts(handle).ends.size === 0);
});

Deno.test("--state: a change that cannot be saved is in force, and the command fails with the reason", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = Deno.makeTempDirSync({ prefix: "lvsd-tool-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const setting = stack.use(await DaemonSetting.start([], undefined, `${folder}/state`));
  const { daemon } = setting;
  await tool(daemon, "-A -t 192.0.2.1:80 -s rr");
  // In the way of the rename, whoever runs this.
  Deno.removeSync(`${folder}/state`);
  Deno.mkdirSync(`${folder}/state/full`, { recursive: true });
  const { code, stderr } = await daemon.tool({ words: "-A -t 192.0.2.2:80 -s rr".split(" "), stdin: "" });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^lvsd: in force, but lost with the next restart: the state file .* cannot be written/,
  );
  assert.match(await tool(daemon, "-S -n"), /192\.0\.2\.2:80/);
});
