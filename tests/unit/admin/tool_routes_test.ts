/** Commands of ipvsadm over the admin API: who may, and what comes back. */
import assert from "node:assert/strict";
import { type Access, createAdminApp } from "../../../admin/app.ts";
import { ControlClient } from "../../../admin/client.ts";
import { SystemClock } from "../../../clock.ts";
import { openSocket, SocketDirectory } from "./doors.ts";
import { FakeSource } from "./fake_source.ts";

function ask(access: Access, path: string, body?: string, headers: HeadersInit = {}): Promise<Response> {
  const app = createAdminApp({ source: new FakeSource(), version: "1", access, onDefect: () => {} });
  const method = body === undefined ? "GET" : "POST";
  return app(
    new Request(`http://localhost${path}`, {
      method,
      headers: { host: "localhost", ...headers },
      ...(body === undefined ? {} : { body }),
    }),
  );
}

const COMMAND = JSON.stringify({ words: ["-L", "-n"], stdin: "x" });

Deno.test("admin: rules are changed by the socket's owner and by who has the token, not by everybody on the host", async () => {
  const answer = await ask({ kind: "owner" }, "/ipvsadm", COMMAND);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { code: 2, stdout: "-L -n", stderr: "x" });
  const access: Access = { kind: "token", token: "s3cret-s3cret" };
  const headers = { authorization: "Bearer s3cret-s3cret" };
  assert.equal((await ask(access, "/ipvsadm", COMMAND, headers)).status, 200);
  assert.equal((await ask(access, "/ipvsadm", COMMAND)).status, 401);
  assert.equal((await ask({ kind: "loopback" }, "/ipvsadm", COMMAND)).status, 403);
});

Deno.test("admin: what is no command is refused", async () => {
  for (const body of ["", "[]", "{", '{"words": "-L"}', '{"words": [1], "stdin": ""}', '{"words": []}']) {
    assert.equal((await ask({ kind: "owner" }, "/ipvsadm", body || " ")).status, 400, body);
  }
});

Deno.test("admin: views of /proc are for all who may see the status", async () => {
  const answer = await ask({ kind: "loopback" }, "/proc/ip_vs");
  assert.equal(await answer.text(), "the table\n");
  assert.equal((await ask({ kind: "loopback" }, "/proc/meminfo")).status, 404);
});

Deno.test("admin: a command of 2 MB goes over the control socket", async () => {
  using directory = new SocketDirectory();
  await using _door = await openSocket(directory.socketPath);
  const client = new ControlClient({ socketPath: directory.socketPath }, { clock: new SystemClock() });
  const stdin = "-A -t 10.0.0.1:80\n".repeat(120_000);
  assert.equal((await client.tool({ words: ["-R"], stdin })).stderr.length, stdin.length);
  assert.equal(await client.proc("ip_vs"), "the table\n");
  await assert.rejects(client.proc("meminfo"), { code: "NOT_FOUND" });
});
