/** `lvsd sysctl` against a real control socket. */
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { sysctl } from "../../../cli/sysctl.ts";
import { LvsdError } from "../../../errors.ts";
import { openSocket, SocketDirectory } from "../admin/doors.ts";
import { FakeSource } from "../admin/fake_source.ts";

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function lvsdSysctl(socket: string, ...words: string[]): Promise<Run> {
  let [out, err] = ["", ""];
  const context = {
    stdout: (text: string) => void (out += text),
    stderr: (text: string) => void (err += text),
    env: () => undefined,
    isTerminal: false,
  };
  try {
    const args = ["--socket", socket, ...words];
    const code = await sysctl.run(
      parseArgs({ args, options: sysctl.options, allowPositionals: true }),
      context,
    );
    return { code, out, err };
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    return { code: error.exitCode, out, err: `${err}${error.message}\n` };
  }
}

/** Runs it against one daemon, line after line. */
async function withDaemon(talk: (say: (line: string) => Promise<Run>, source: FakeSource) => Promise<void>) {
  using directory = new SocketDirectory();
  const source = new FakeSource();
  await using _door = await openSocket(directory.socketPath, source);
  await talk(
    (line) => lvsdSysctl(directory.socketPath, ...line.split(" ").filter((it) => it !== "")),
    source,
  );
}

const ignore = Deno.build.os === "windows";

Deno.test({
  name: "lvsd sysctl: lists as sysctl(8) does, in alphabetical order",
  ignore,
  fn: () =>
    withDaemon(async (say) => {
      const { code, out } = await say("-a");
      assert.equal(code, 0);
      const lines = out.trimEnd().split("\n");
      assert.equal(lines.length, 29);
      assert.equal(lines[0], "net.ipv4.vs.am_droprate = 10");
      assert.ok(lines.includes("net.ipv4.vs.sync_threshold = 3\t50"));
      assert.equal((await say("")).out, out);
      assert.equal(
        (await say("drop_entry net/ipv4/vs/pmtu_disc")).out,
        [
          "net.ipv4.vs.drop_entry = 0\n",
          "net.ipv4.vs.pmtu_disc = 1\n",
        ].join(""),
      );
      assert.equal((await say("-n net.ipv4.vs.conn_reuse_mode")).out, "1\n");
    }),
});

Deno.test({
  name: "lvsd sysctl: sets, shows what was set, and says when that does nothing",
  ignore,
  fn: () =>
    withDaemon(async (say, source) => {
      assert.deepEqual(await say("-w net.ipv4.vs.expire_nodest_conn=1 am_droprate=7"), {
        code: 0,
        out: "net.ipv4.vs.expire_nodest_conn = 1\nnet.ipv4.vs.am_droprate = 7\n",
        err: "",
      });
      assert.deepEqual([source.sysctl.expire_nodest_conn, source.sysctl.am_droprate], [1, 7]);
      const none = await say("sync_ports=4");
      assert.match(none.err, /net\.ipv4\.vs\.sync_ports has no effect: there is no sync daemon yet/);
      assert.deepEqual([none.code, source.sysctl.sync_ports], [0, 4]);
    }),
});

Deno.test({
  name: "lvsd sysctl: a wrong name is told with the near one, a wrong value with its range; both end with 1",
  ignore,
  fn: () =>
    withDaemon(async (say, source) => {
      const unknown = await say("am_droprate=7 net.ipv4.vs.expire_nodst_conn=1");
      assert.deepEqual(unknown, {
        code: 1,
        out: "",
        err: 'there is no switch net.ipv4.vs.expire_nodst_conn; did you mean "expire_nodest_conn"?\n',
      });
      assert.equal(source.sysctl.am_droprate, 10, "nothing was set");
      assert.match((await say("est_nice=1")).err, /est_nice: it came with kernel 6\.2/);
      const wrong = await say("drop_entry=4");
      assert.equal(wrong.code, 1);
      assert.match(wrong.err, /drop_entry takes a whole number from 0 to 3, not 4/);
      assert.equal((await say("-w drop_entry")).code, 2);
    }),
});

Deno.test({
  name: "lvsd sysctl: --json and --explain tell the effect",
  ignore,
  fn: () =>
    withDaemon(async (say) => {
      const states = JSON.parse((await say("--json backup_only")).out) as Record<string, string>[];
      assert.deepEqual(states.map((it) => [it.name, it.value, it.default, it.effect, it.note]), [
        ["backup_only", "0", "0", "none", "there is no sync daemon yet"],
      ]);
      assert.equal(
        (await say("--explain backup_only")).out,
        "net.ipv4.vs.backup_only = 0\n" +
          "  a backup of the sync daemon does not act as director\n" +
          "  no effect: there is no sync daemon yet\n",
      );
    }),
});

Deno.test({
  name: "lvsd sysctl: without a daemon it ends with 3",
  ignore,
  fn: async () => {
    const { code, err } = await lvsdSysctl("/nonexistent/lvsd.sock", "-a");
    assert.equal(code, 3);
    assert.match(err, /no lvsd is listening/);
  },
});
