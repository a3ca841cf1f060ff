/**
 * The client of the admin API against real doors, and against everything that is not one.
 */
import assert from "node:assert/strict";
import { ControlClient, type ControlTarget } from "../../../admin/client.ts";
import { ManualClock, SystemClock } from "../../../clock.ts";
import { openSocket, openTcp, SocketDirectory } from "./doors.ts";
import { FakeSource } from "./fake_source.ts";

const UNIX = Deno.build.os !== "windows";
const isRoot = Deno.uid() === 0;

function client(target: ControlTarget): ControlClient {
  return new ControlClient(target, { clock: new SystemClock() });
}

/** A server that answers every connection with `bytes` once something came, and goes on until it is disposed. */
function rawServer(answer: (connection: Deno.Conn) => Promise<void>): Disposable & { url: string } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4_096));
      await answer(connection).catch(() => {});
    }
  })().catch(() => {});
  return { url: `http://127.0.0.1:${listener.addr.port}`, [Symbol.dispose]: () => listener.close() };
}

async function reply(connection: Deno.Conn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
  connection.close();
}

Deno.test({
  name: "control client: status, readiness and reload over a real socket",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const source = new FakeSource();
    await using _door = await openSocket(directory.socketPath, source);
    const control = client({ socketPath: directory.socketPath });
    assert.deepEqual(await control.status(), source.current);
    assert.deepEqual(await control.readiness(), source.ready);
    source.ready = { ready: false, problems: [{ service: "web", reason: "unbound" }] };
    assert.deepEqual(await control.readiness(), source.ready);
    assert.deepEqual(await control.reload(), source.outcome);
    source.outcome = {
      ok: false,
      message: "1 mistake",
      problems: [{ file: "f", line: 1, column: 2, path: "", message: "no" }],
      changes: [],
    };
    assert.deepEqual(await control.reload(), source.outcome);
    assert.equal(source.reloads, 2);
  },
});

Deno.test("control client: over HTTP, with and without a slash at the end", async () => {
  const source = new FakeSource();
  await using door = openTcp(source);
  for (const url of [`http://${door.address}`, `http://${door.address}/`]) {
    assert.deepEqual(await client({ url }).status(), source.current);
  }
  assert.equal((await client({ url: `http://${door.address}` }).reload()).ok, true);
});

Deno.test("control client: a status of many destinations comes whole", async () => {
  const source = new FakeSource();
  const [service] = source.current.services;
  assert.ok(service);
  const destinations = Array.from(
    { length: 20_000 },
    (_, i) => ({ ...service.destinations[0], name: `ö${i}` }),
  );
  source.status = () =>
    JSON.parse(JSON.stringify({ ...source.current, services: [{ ...service, destinations }] }));
  await using door = openTcp(source);
  const status = await client({ url: `http://${door.address}` }).status();
  assert.equal(status.services[0]?.destinations.at(-1)?.name, "ö19999");
});

Deno.test("control client: a token is needed and sent", async () => {
  await using door = openTcp(new FakeSource(), "s3cret");
  const url = `http://${door.address}`;
  await assert.rejects(client({ url }).status(), {
    code: "UNAUTHORIZED",
    exitCode: 3,
    message: /LVSD_TOKEN/,
  });
  await assert.rejects(client({ url, token: "wrong" }).reload(), { code: "UNAUTHORIZED" });
  assert.equal((await client({ url, token: "s3cret" }).status()).pid, Deno.pid);
});

Deno.test({
  name: "control client: no daemon: no socket, a dead socket, no listener",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const expected = { name: "SystemError", code: "DAEMON_NOT_RUNNING", exitCode: 3 };
    const { socketPath } = directory;
    await assert.rejects(client({ socketPath }).status(), { ...expected, message: /lvsd run .*LVSD_SOCKET/ });
    const listener = Deno.listen({ transport: "unix", path: `${socketPath}~` });
    // A second name keeps the file when the listener goes.
    Deno.linkSync(`${socketPath}~`, socketPath);
    listener.close();
    await assert.rejects(client({ socketPath }).status(), expected);
    const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const url = `http://127.0.0.1:${free.addr.port}`;
    free.close();
    await assert.rejects(client({ url }).reload(), { ...expected, message: /admin\.listen/ });
  },
});

Deno.test({
  name: `control client: a socket that may not be used is told as a matter of permission${
    isRoot ? " (skipped: root may)" : ""
  }`,
  ignore: !UNIX || isRoot,
  fn: async () => {
    using directory = new SocketDirectory();
    await using _door = await openSocket(directory.socketPath);
    Deno.chmodSync(directory.socketPath, 0);
    await assert.rejects(client({ socketPath: directory.socketPath }).status(), {
      code: "PERMISSION_DENIED",
      exitCode: 3,
    });
  },
});

Deno.test("control client: what is not lvsd is told", async () => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
    'HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\n{"error": true}',
    "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
  ];
  for (const answer of answers) {
    using server = rawServer((connection) => reply(connection, answer));
    await assert.rejects(client({ url: server.url }).status(), {
      name: "SystemError",
      code: "CONTROL_ANSWER_INVALID",
    });
  }
});

Deno.test("control client: a restore may take longer, by its lines", async () => {
  const asked = Promise.withResolvers<Deno.Conn>();
  using server = rawServer((connection) => Promise.resolve(asked.resolve(connection)));
  const clock = new ManualClock();
  const request = { words: ["-R"], stdin: "-A -t 10.0.0.1:80\n".repeat(99) };
  const waiting = new ControlClient({ url: server.url }, { clock, waitMs: 500 }).tool(request);
  waiting.catch(() => {});
  using _connection = await asked.promise;
  clock.advance(2_499);
  assert.equal(clock.pendingTimers, 1);
  clock.advance(1);
  await assert.rejects(waiting, { message: /within 2500 ms/ });
});

Deno.test("control client: a broken or cut answer is told", async () => {
  for (const answer of ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"]) {
    using server = rawServer((connection) => reply(connection, answer));
    await assert.rejects(
      client({ url: server.url }).status(),
      { code: "DAEMON_NO_ANSWER", exitCode: 3 },
      answer,
    );
  }
});

Deno.test("control client: one that says nothing ends at the deadline", async () => {
  const asked = Promise.withResolvers<Deno.Conn>();
  using server = rawServer((connection) => Promise.resolve(asked.resolve(connection)));
  const clock = new ManualClock();
  const waiting = new ControlClient({ url: server.url }, { clock, waitMs: 500 }).status();
  waiting.catch(() => {});
  using _connection = await asked.promise;
  clock.advance(500);
  await assert.rejects(waiting, { code: "DAEMON_NO_ANSWER", message: /within 500 ms/ });
  assert.equal(clock.pendingTimers, 0);
});

Deno.test("control client: what is no URL of an admin address is told", async () => {
  for (const url of ["", "127.0.0.1:9180", "ftp://127.0.0.1", "unix:/x"]) {
    await assert.rejects(client({ url }).status(), { code: "URL_INVALID" });
  }
});

Deno.test("control client: a mistake in what was asked is the asker's, told as the daemon told it", async () => {
  await using door = openTcp(new FakeSource());
  await assert.rejects(client({ url: `http://${door.address}` }).explain("nonsense"), {
    name: "ValueError",
    code: "FLOW_INVALID",
    message: '"nonsense" is no flow',
    exitCode: 1,
  });
  using server = rawServer((connection) => {
    const body = JSON.stringify({ error: { code: "ENOMEM", message: "no room" } });
    return reply(connection, `HTTP/1.1 422 No\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  const expected = { code: "ENOMEM", message: "no room", exitCode: 1 };
  await assert.rejects(client({ url: server.url }).reload(), expected);
});
