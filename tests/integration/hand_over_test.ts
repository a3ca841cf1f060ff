/** Accepted sockets go to a receiver on this host, and answers bypass the director. */
import assert from "node:assert/strict";
import { Echo, exchange } from "./byte_exchange.ts";
import { DaemonSetting } from "./daemon_setting.ts";
import { lvsdProgram } from "../peers/lvsd_command.ts";
import { LvsdProcess } from "../peers/lvsd_process.ts";

const ignore = Deno.build.os !== "linux";

/** `lvsd realserver --receive` as a process. */
class ReceiverProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  static async start(path: string, to: string): Promise<ReceiverProcess> {
    const child = lvsdProgram(["realserver", "--receive", path, "--to", to], {
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    assert.match(new TextDecoder().decode(value), /^ready: /);
    await reader.cancel();
    return new ReceiverProcess(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
  }
}

/** A service at 127.0.0.1, its servers at 127.0.0.2 and up on the same port, as DR wants it. */
function service(port: number, sockets: readonly string[]): Record<string, unknown> {
  return {
    name: "web",
    listen: `127.0.0.1:${port}`,
    mode: "dr",
    scheduler: "rr",
    healthCheck: "off",
    passive: "off",
    destinations: sockets.map((handOver, i) => ({ address: `127.0.0.${i + 2}`, handOver })),
  };
}

Deno.test({
  name: "hand-over: 1,000 exchanges, 0 failed, and the director counts no byte of the answers",
  ignore,
  async fn() {
    const directory = Deno.makeTempDirSync();
    await using echo = new Echo("127.0.0.2", 0);
    const path = `${directory}/a.sock`;
    await using _receiver = await ReceiverProcess.start(path, `127.0.0.2:${echo.port}`);
    await using setting = await DaemonSetting.start([service(echo.port, [path])]);
    await setting.until("listens", () => setting.service("web").state === "listening");
    let failed = 0;
    for (let done = 0; done < 1_000; done += 20) {
      await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const payload = new TextEncoder().encode(`exchange ${done + i} ${"x".repeat(i * 50)}`);
        const answer = await exchange(echo.port, payload);
        if (new TextDecoder().decode(answer) !== new TextDecoder().decode(payload)) failed++;
      }));
    }
    assert.equal(failed, 0);
    await setting.until("all ended", () => setting.service("web").ends["done"] === 1_000);
    const { counters, emulated, emulatedReason, engine, destinations } = setting.service("web");
    assert.deepEqual([counters.connections, counters.bytesOut], [1_000, 0]);
    assert.ok(counters.bytesIn > 1_000 * 10, `${counters.bytesIn}`);
    assert.equal(emulated, true);
    assert.match(emulatedReason, /answers bypass the director/);
    assert.equal(engine, "hand-over");
    assert.deepEqual([destinations[0]?.activeConns, destinations[0]?.inactiveConns], [0, 1_000]);
    Deno.removeSync(directory, { recursive: true });
  },
});

Deno.test({
  name: "hand-over: 8 MiB each way is equal, and half-close is carried through",
  ignore,
  async fn() {
    const directory = Deno.makeTempDirSync();
    await using echo = new Echo("127.0.0.2", 0);
    await using _receiver = await ReceiverProcess.start(`${directory}/a.sock`, `127.0.0.2:${echo.port}`);
    await using setting = await DaemonSetting.start([service(echo.port, [`${directory}/a.sock`])]);
    await setting.until("listens", () => setting.service("web").state === "listening");
    const payload = new Uint8Array(8 * 1_024 * 1_024);
    for (let at = 0; at < payload.length; at += 65_536) {
      crypto.getRandomValues(payload.subarray(at, at + 65_536));
    }
    const answer = await exchange(echo.port, payload);
    assert.equal(answer.length, payload.length);
    assert.ok(answer.every((byte, i) => byte === payload[i]));
    await setting.until("counted", () => setting.service("web").counters.bytesIn === payload.length);
    Deno.removeSync(directory, { recursive: true });
  },
});

Deno.test({
  name: "hand-over: a receiver that is not there, or whose server refuses, is passed over",
  ignore,
  async fn() {
    const directory = Deno.makeTempDirSync();
    await using echo = new Echo("127.0.0.2", 0);
    const paths = [`${directory}/a.sock`, `${directory}/none.sock`, `${directory}/refused.sock`];
    await using _receiver = await ReceiverProcess.start(paths[0] ?? "", `127.0.0.2:${echo.port}`);
    await using _refused = await ReceiverProcess.start(paths[2] ?? "", "127.0.0.2:1");
    await using setting = await DaemonSetting.start([{ ...service(echo.port, paths), retries: 2 }]);
    await setting.until("listens", () => setting.service("web").state === "listening");
    const payload = new TextEncoder().encode("hello");
    for (let i = 0; i < 12; i++) assert.deepEqual(await exchange(echo.port, payload), payload);
    Deno.removeSync(directory, { recursive: true });
  },
});

Deno.test({
  name: "hand-over: no receiver at all is a reset",
  ignore,
  async fn() {
    await using echo = new Echo("127.0.0.2", 0);
    await using setting = await DaemonSetting.start([service(echo.port, ["/nonexistent/a.sock"])]);
    await setting.until("listens", () => setting.service("web").state === "listening");
    await assert.rejects(exchange(echo.port, new Uint8Array(1)), Deno.errors.ConnectionReset);
    assert.equal(setting.service("web").ends["connect-failed"], 1);
  },
});

Deno.test({
  name: "hand-over: a removed service resets what it gave away; a killed director does not",
  ignore,
  async fn() {
    const directory = Deno.makeTempDirSync();
    await using echo = new Echo("127.0.0.2", 0);
    const path = `${directory}/a.sock`;
    await using _receiver = await ReceiverProcess.start(path, `127.0.0.2:${echo.port}`);
    const buffer = new Uint8Array(16);
    const speak = async (connection: Deno.Conn) => {
      await connection.write(new TextEncoder().encode("still here"));
      return new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
    };
    {
      await using setting = await DaemonSetting.start([service(echo.port, [path])]);
      await setting.until("listens", () => setting.service("web").state === "listening");
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
      assert.equal(await speak(connection), "still here");
      await setting.daemon.stop();
      await assert.rejects(connection.read(buffer), Deno.errors.ConnectionReset);
    }
    await using lvsd = await LvsdProcess.start({ services: [service(echo.port, [path])] });
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
    assert.equal(await speak(connection), "still here");
    lvsd.kill("SIGKILL");
    await lvsd.ended;
    assert.equal(await speak(connection), "still here");
    Deno.removeSync(directory, { recursive: true });
  },
});

const isPromised = Deno.env.get("CI") === "true";
const hasStrace = await commandExists("strace");
const EXCHANGES = Deno.env.get("LVSD_PROOF") === undefined ? 50 : 1_000;

Deno.test({
  name: `hand-over: strace sees the director give sockets away, and not a byte of what flows${
    hasStrace || isPromised ? "" : " (skipped: strace is not installed)"
  }`,
  ignore: ignore || (!hasStrace && !isPromised),
  async fn() {
    const directory = Deno.makeTempDirSync();
    await using echo = new Echo("127.0.0.2", 0);
    const path = `${directory}/a.sock`;
    await using _receiver = await ReceiverProcess.start(path, `127.0.0.2:${echo.port}`);
    await using lvsd = await LvsdProcess.start({ services: [service(echo.port, [path])] });
    const trace = await Trace.start(lvsd.pid, `${directory}/trace`);
    for (let i = 0; i < EXCHANGES; i++) {
      const payload = new TextEncoder().encode(`payload of client ${i}`);
      assert.deepEqual(await exchange(echo.port, payload), payload);
    }
    const seen = await trace.stop();
    assert.equal(seen.match(/sendmsg\(.*SCM_RIGHTS/g)?.length, EXCHANGES, "the trace sees every hand-over");
    assert.doesNotMatch(seen, /payload of client/);
    Deno.removeSync(directory, { recursive: true });
  },
});

/** `strace` of a running process and all its threads: what it reads, writes, sends and receives, whole. */
class Trace {
  readonly #child: Deno.ChildProcess;
  readonly #path: string;

  private constructor(child: Deno.ChildProcess, path: string) {
    this.#child = child;
    this.#path = path;
  }

  static async start(pid: number, path: string): Promise<Trace> {
    const calls = "trace=%network,read,write,readv,writev,pread64,pwrite64,splice,sendfile,io_uring_enter";
    const child = new Deno.Command("strace", {
      args: ["-f", "-s", "65535", "-e", calls, "-o", path, "-p", `${pid}`],
      stderr: "piped",
    }).spawn();
    const reader = child.stderr.getReader();
    let said = "";
    while (!said.includes("attached")) {
      const { value, done } = await reader.read();
      assert.ok(!done, said);
      said += new TextDecoder().decode(value);
    }
    reader.releaseLock();
    void child.stderr.cancel();
    return new Trace(child, path);
  }

  async stop(): Promise<string> {
    this.#child.kill("SIGINT");
    await this.#child.status;
    return Deno.readTextFileSync(this.#path);
  }
}

async function commandExists(name: string): Promise<boolean> {
  const { code } = await new Deno.Command("sh", { args: ["-c", `command -v ${name}`], stdout: "null" })
    .output();
  return code === 0;
}
