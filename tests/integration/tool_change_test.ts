/** What commands of ipvsadm change in a running daemon, seen from inside. */
import assert from "node:assert/strict";
import type { Daemon } from "../../daemon/daemon.ts";
import { DaemonSetting } from "./daemon_setting.ts";

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
