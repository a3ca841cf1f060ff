/** What systemd is told over $NOTIFY_SOCKET; the test listens in its place. */
import assert from "node:assert/strict";
import { ERRNO } from "../../sys/errno.ts";
import { NotifySocket } from "../../sys/notify_socket.ts";
import { lvsdProgram } from "../peers/lvsd_command.ts";
import { peerTest, requirePeer } from "../peers/required_peers.ts";

const ignore = Deno.build.os !== "linux";

/** Listens as systemd does. */
class Manager implements AsyncDisposable {
  readonly directory: string;
  readonly #socket: Deno.DatagramConn;

  private constructor(directory: string) {
    this.directory = directory;
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path: this.path });
  }

  static async listen(): Promise<Manager> {
    return new Manager(await Deno.makeTempDir({ prefix: "lvsd-notify-" }));
  }

  get path(): string {
    return `${this.directory}/notify`;
  }

  get file(): string {
    return `${this.directory}/lvsd.yaml`;
  }

  /** The next message that is not a heartbeat, as a mapping. */
  async next(): Promise<Record<string, string>> {
    for (;;) {
      const message = await this.any();
      if (!("WATCHDOG" in message)) return message;
    }
  }

  async any(): Promise<Record<string, string>> {
    const [bytes] = await this.#socket.receive();
    const lines = new TextDecoder().decode(bytes).split("\n");
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await Deno.remove(this.directory, { recursive: true });
  }
}

function start(
  manager: Manager,
  env: Record<string, string>,
  permissions?: readonly string[],
): Deno.ChildProcess {
  return lvsdProgram(["run", "-c", manager.file], {
    env: {
      NO_COLOR: "1",
      LVSD_SOCKET: `${manager.directory}/control.sock`,
      NOTIFY_SOCKET: manager.path,
      ...env,
    },
    stderr: "piped",
  }, permissions).spawn();
}

async function ended(child: Deno.ChildProcess): Promise<{ code: number; log: string }> {
  const [log, { code }] = await Promise.all([new Response(child.stderr).text(), child.status]);
  return { code, log };
}

Deno.test({
  name: "systemd: ready, alive, reloading, refused, stopping",
  ignore,
  fn: async () => {
    await using manager = await Manager.listen();
    await Deno.writeTextFile(manager.file, "admin: {listen: off}\n");
    const child = start(manager, { WATCHDOG_USEC: "100000" });
    assert.deepEqual(await manager.any(), { READY: "1", STATUS: "0 services" });
    assert.deepEqual(await manager.any(), { WATCHDOG: "1" });
    assert.deepEqual(await manager.any(), { WATCHDOG: "1" });

    child.kill("SIGHUP");
    const { MONOTONIC_USEC, ...reloading } = await manager.next();
    assert.deepEqual(reloading, { RELOADING: "1", STATUS: "reloading" });
    // systemd compares it with its own clock: a time of before would be refused.
    const uptime = Number((await Deno.readTextFile("/proc/uptime")).split(" ")[0]) * 1e6;
    assert.ok(Math.abs(Number(MONOTONIC_USEC) - uptime) < 10e6, `${MONOTONIC_USEC} beside ${uptime}`);
    assert.deepEqual(await manager.next(), { READY: "1", STATUS: "reload: nothing has changed" });

    await Deno.writeTextFile(manager.file, "servcies: []\n");
    child.kill("SIGHUP");
    await manager.next();
    const { STATUS = "", READY } = await manager.next();
    assert.equal(READY, "1");
    assert.match(STATUS, /^reload: nothing was changed: .*lvsd\.yaml:1:1: .*"servcies"/);

    child.kill("SIGTERM");
    assert.deepEqual(await manager.next(), { STOPPING: "1", STATUS: "draining" });
    assert.equal((await ended(child)).code, 0);
  },
});

Deno.test({
  name: "systemd: another process' watchdog is not fed, and a manager that is gone is told of once",
  ignore,
  fn: async () => {
    await using manager = await Manager.listen();
    await Deno.writeTextFile(manager.file, "admin: {listen: off}\n");
    const child = start(manager, { WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" });
    assert.deepEqual(await manager.any(), { READY: "1", STATUS: "0 services" });
    await Deno.remove(manager.path);
    child.kill("SIGTERM");
    const { code, log } = await ended(child);
    assert.equal(code, 0);
    assert.equal(log.match(/the service manager cannot be told STOPPING=1: ENOENT/g)?.length, 1, log);
  },
});

Deno.test({
  name: "systemd: without --allow-ffi the log says that it is not told",
  ignore,
  fn: async () => {
    await using manager = await Manager.listen();
    await Deno.writeTextFile(manager.file, "admin: {listen: off, socket: off}\n");
    const child = start(manager, {}, ["--allow-read", "--allow-env", "--allow-net", "--allow-sys"]);
    const log = child.stderr.pipeThrough(new TextDecoderStream());
    let text = "";
    for await (const chunk of log) {
      text += chunk;
      if (text.includes(" ready: ") && !text.includes("draining")) child.kill("SIGTERM");
    }
    assert.match(text, /systemd is not told that lvsd is ready, and may end it: .*--allow-ffi was not given/);
    assert.equal((await child.status).code, 0);
  },
});

peerTest("systemd: an abstract socket", ["socat"], async () => {
  const name = `lvsd-notify-${Deno.pid}`;
  const socat = new Deno.Command(requirePeer("socat"), {
    args: ["-u", `ABSTRACT-RECV:${name}`, "-"],
    stdout: "piped",
  }).spawn();
  using socket = NotifySocket.open(`@${name}`);
  let result = socket.send("READY=1");
  for (; result < 0; result = socket.send("READY=1")) {
    assert.equal(result, -ERRNO.ECONNREFUSED);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const reader = socat.stdout.getReader();
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value), "READY=1");
  await reader.cancel();
  socat.kill("SIGTERM");
  await socat.status;
});
