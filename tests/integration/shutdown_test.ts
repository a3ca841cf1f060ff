/** SIGTERM drains, a second signal ends at once. */
import assert from "node:assert/strict";
import { freePort } from "../peers/free_port.ts";
import { lvsdProgram } from "../peers/lvsd_command.ts";
import { LvsdProcess } from "../peers/lvsd_process.ts";
import { EchoClient, startEcho } from "./echo_servers.ts";

async function start(
  stack: AsyncDisposableStack,
  deadline: string,
): Promise<{ lvsd: LvsdProcess; port: number }> {
  const server = stack.use(await startEcho());
  const port = await freePort();
  const lvsd = stack.use(
    await LvsdProcess.start({
      drain: { deadline, spread: "200ms" },
      services: [{ name: "echo", listen: `127.0.0.1:${port}`, destinations: [server.address] }],
    }),
  );
  return { lvsd, port };
}

/** Resolves when the listener is gone. */
async function refused(port: number): Promise<void> {
  for (;;) {
    try {
      (await EchoClient.open(port)).close();
    } catch {
      return;
    }
  }
}

Deno.test("SIGTERM: refuses new connections, lets the old one go on, and ends with it", async () => {
  await using stack = new AsyncDisposableStack();
  const { lvsd, port } = await start(stack, "30s");
  const client = await EchoClient.open(port);
  await client.exchange("before");
  lvsd.kill("SIGTERM");
  await refused(port);
  await client.exchange("while draining");
  const ready = await fetch(`${lvsd.adminUrl}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /draining/);
  client.close();
  assert.equal((await lvsd.ended).code, 0);
});

Deno.test("SIGTERM: at the deadline the rest is reset", async () => {
  await using stack = new AsyncDisposableStack();
  const { lvsd, port } = await start(stack, "300ms");
  const client = await EchoClient.open(port);
  await client.exchange("before");
  lvsd.kill("SIGTERM");
  assert.equal((await lvsd.ended).code, 0);
  assert.equal((client.broken as NodeJS.ErrnoException | undefined)?.code, "ECONNRESET");
});

Deno.test("SIGTERM twice: ends at once", async () => {
  await using stack = new AsyncDisposableStack();
  const { lvsd, port } = await start(stack, "60s");
  const client = await EchoClient.open(port);
  await client.exchange("before");
  lvsd.kill("SIGTERM");
  await refused(port);
  lvsd.kill("SIGTERM");
  assert.equal((await lvsd.ended).code, 0);
  client.close();
});

Deno.test({
  name: "SIGTERM twice: ends at once while the start waits for a disk",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    // Nobody ever writes into it.
    const state = `${folder}/state`;
    assert.ok((await new Deno.Command("mkfifo", { args: [state] }).output()).success);
    const words = ["run", "--state", state, "--admin", "off"];
    const env = { LVSD_SOCKET: `${folder}/control.sock` };
    const child = lvsdProgram(words, { env, stdout: "null", stderr: "piped" }).spawn();
    let said = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      // Whoever has said this has begun to read.
      if (/engine .*\n$/.test(said)) child.kill("SIGTERM");
      if (/draining; .*\n$/.test(said)) child.kill("SIGTERM");
    }
    const { code } = await child.status;
    assert.deepEqual({ code, again: /SIGTERM again: ending at once\n$/.test(said) }, {
      code: 0,
      again: true,
    });
    await Deno.remove(folder, { recursive: true });
  },
});
