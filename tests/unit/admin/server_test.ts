/**
 * The two doors on real sockets: file mode, a dead predecessor, a taken port, closing; and a real curl at both.
 */
import assert from "node:assert/strict";
import { openAdminAddress, openControlSocket } from "../../../admin/server.ts";
import { LIMITS } from "../../../limits.ts";
import { IpAddress } from "../../../net/address.ts";
import { parseExposition } from "./exposition.ts";
import { FakeSource } from "./fake_source.ts";
import { curl, isCurlMissing, openSocket, openTcp, portOf, serverOptions, SocketDirectory } from "./doors.ts";

const UNIX = Deno.build.os !== "windows";
const inCi = Deno.env.get("CI") === "true";
const noCurl = isCurlMissing();

/** A test with a real curl: skipped where there is none, but not in CI. */
function curlTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${noCurl && !inCi ? " (skipped: no curl)" : ""}`, ignore: noCurl && !inCi, fn });
}

curlTest("admin server: curl reads every page over TCP", async () => {
  await using door = openTcp();
  const base = `http://${door.address}`;
  assert.equal((await curl(`${base}/healthz`)).body, "ok\n");
  assert.equal(JSON.parse((await curl(`${base}/readyz`)).body).ready, true);
  assert.equal(JSON.parse((await curl(`${base}/status`)).body).pid, Deno.pid);
  assert.ok(parseExposition((await curl(`${base}/metrics`)).body).length > 30);
  assert.equal(JSON.parse((await curl("-X", "POST", `${base}/reload`)).body).ok, true);
  assert.match((await curl(`${base}/`)).body, /^lvsd 9\.9\.9\n/);
  const { status, headers, body } = await curl(`${base}/nothing`);
  assert.equal(status, 404);
  assert.match(headers, /^lvsd-version: 9\.9\.9\r?$/im);
  assert.equal(JSON.parse(body).error.code, "NOT_FOUND");
});

curlTest("admin server: curl reads every page over the control socket", async () => {
  using directory = new SocketDirectory();
  const source = new FakeSource();
  await using _door = await openSocket(directory.socketPath, source);
  const ask = (...words: string[]) => curl("--unix-socket", directory.socketPath, ...words);
  assert.equal((await ask("http://localhost/healthz")).body, "ok\n");
  assert.equal(JSON.parse((await ask("http://any.example/status")).body).pid, Deno.pid);
  assert.equal((await ask("-X", "POST", "http://localhost/reload")).status, 200);
  assert.equal(source.reloads, 1);
});

curlTest("admin server: HEAD, odd targets and odd methods are answered", async () => {
  await using door = openTcp();
  const base = `http://${door.address}`;
  const head = await curl("--head", `${base}/status`);
  assert.equal(head.status, 200);
  assert.equal(head.body, "");
  assert.equal((await curl("-X", "PUT", `${base}/status`)).status, 405);
  assert.equal((await curl("-X", "TRACE", `${base}/status`)).status, 400);
  assert.equal((await curl("--request-target", "*", "-X", "OPTIONS", base)).status, 400);
  assert.equal((await curl("--request-target", "http://evil.example/status", base)).status, 403);
  assert.equal((await curl("--request-target", "http://localhost/status", base)).status, 200);
  assert.equal((await curl("--request-target", "ftp://localhost/status", base)).status, 400);
  assert.equal((await curl("--path-as-is", `${base}/../../status`)).status, 200);
  assert.equal((await curl(`${base}//status`)).status, 404);
  assert.equal((await curl("-H", "Host: evil.example", `${base}/status`)).status, 403);
});

curlTest("admin server: a body above the limit is 413, announced or not", async () => {
  await using door = openTcp();
  const big = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(big, new Uint8Array(LIMITS.adminBodyBytes + 1));
    const post = (...words: string[]) =>
      curl("--data-binary", `@${big}`, ...words, `http://${door.address}/reload`);
    assert.equal((await post()).status, 413);
    const chunked = await post("-H", "Transfer-Encoding: chunked");
    assert.equal(chunked.status, 413);
    assert.equal(JSON.parse(chunked.body).error.code, "BODY_TOO_LARGE");
    Deno.writeFileSync(big, new Uint8Array(LIMITS.adminBodyBytes));
    assert.equal((await post()).status, 200);
    assert.equal((await post("-H", "Transfer-Encoding: chunked")).status, 200);
  } finally {
    Deno.removeSync(big);
  }
});

curlTest("admin server: with a token, curl needs it", async () => {
  await using door = openTcp(new FakeSource(), "s3cret");
  const url = `http://${door.address}/status`;
  assert.equal((await curl(url)).status, 401);
  assert.equal((await curl("-H", "Authorization: Bearer s3cret", url)).status, 200);
  assert.equal((await curl("--oauth2-bearer", "s3cret", "-H", "Host: lb.example", url)).status, 200);
});

Deno.test("admin server: a taken port is told, with what to do", async () => {
  await using door = openTcp();
  const listen = { address: IpAddress.parse("127.0.0.1"), port: portOf(door) };
  assert.throws(() => openAdminAddress(listen, undefined, serverOptions()), {
    name: "SystemError",
    code: "ADDRESS_IN_USE",
    exitCode: 3,
    message: new RegExp(`127\\.0\\.0\\.1:${listen.port} is in use .*admin\\.listen`),
  });
});

Deno.test("admin server: an address of another host is told", () => {
  // TEST-NET-1 of RFC 5737: nobody's own.
  const listen = { address: IpAddress.parse("192.0.2.1"), port: 0 };
  assert.throws(() => openAdminAddress(listen, "token", serverOptions()), { code: "ADDRESS_NOT_LOCAL" });
});

Deno.test("admin server: an open address without a token never listens", () => {
  const listen = { address: IpAddress.parse("0.0.0.0"), port: 0 };
  assert.throws(() => openAdminAddress(listen, undefined, serverOptions()), { code: "ADMIN_TOKEN_MISSING" });
});

Deno.test("admin server: listens on IPv6", async () => {
  const door = openAdminAddress(
    { address: IpAddress.parse("::1"), port: 0 },
    undefined,
    serverOptions(),
  );
  await using _ = door;
  assert.match(door.address, /^\[::1\]:\d+$/);
  const answer = await fetch(`http://${door.address}/healthz`);
  assert.equal(await answer.text(), "ok\n");
});

Deno.test({
  name: "admin server: the control socket has mode 0600 and goes away at the end; the umask is as before",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const before = Deno.umask();
    const door = await openSocket(directory.socketPath);
    const info = Deno.lstatSync(directory.socketPath);
    assert.equal(info.isSocket, true);
    assert.equal((info.mode ?? 0) & 0o777, 0o600);
    assert.equal(Deno.umask(), before);
    await door.close();
    assert.deepEqual([...Deno.readDirSync(directory.path)], []);
  },
});

const isRoot = Deno.uid() === 0;

Deno.test({
  name: `admin server: another user may not connect to the control socket${
    isRoot ? "" : " (skipped: needs root)"
  }`,
  ignore: !isRoot || (noCurl && !inCi),
  fn: async () => {
    using directory = new SocketDirectory();
    await using _door = await openSocket(directory.socketPath);
    Deno.chmodSync(directory.path, 0o755);
    const statusAs = async (uid: number) => {
      const args = ["-s", "--unix-socket", directory.socketPath, "http://localhost/healthz"];
      return await new Deno.Command("curl", { args, uid, stdout: "piped" }).output();
    };
    assert.equal((await statusAs(0)).code, 0);
    // 65534 is nobody; 7 is curl's "could not connect".
    assert.equal((await statusAs(65_534)).code, 7);
  },
});

Deno.test({
  name: "admin server: the control socket's directory is made, with mode 0700",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    await using _door = await openSocket(`${directory.path}/run/lvsd/control.sock`);
    for (const made of ["run", "run/lvsd"]) {
      assert.equal((Deno.statSync(`${directory.path}/${made}`).mode ?? 0) & 0o777, 0o700);
    }
  },
});

Deno.test({
  name: "admin server: a directory in the temp directory that others may enter is refused",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const place = { path: directory.socketPath, sharedParent: true };
    await (await openControlSocket(place, serverOptions())).close();
    Deno.chmodSync(directory.path, 0o755);
    await assert.rejects(openControlSocket(place, serverOptions()), { code: "SOCKET_DIRECTORY_UNSAFE" });
    const link = `${directory.path}/link`;
    Deno.chmodSync(directory.path, 0o700);
    Deno.symlinkSync(directory.path, link);
    const through = { path: `${link}/control.sock`, sharedParent: true };
    await assert.rejects(openControlSocket(through, serverOptions()), { code: "SOCKET_DIRECTORY_UNSAFE" });
  },
});

Deno.test({
  name: "admin server: the socket of a dead process is replaced",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const { socketPath } = directory;
    // A real death: kill -9 leaves the file behind, a close would not.
    const code = `Deno.listen({ transport: "unix", path: ${
      JSON.stringify(socketPath)
    } }); console.log("up"); setInterval(() => {}, 1e6);`;
    const child = new Deno.Command(Deno.execPath(), { args: ["eval", code], stdout: "piped" }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGKILL");
    await reader.cancel();
    await child.status;
    assert.equal(Deno.lstatSync(socketPath).isSocket, true);
    await using door = await openSocket(socketPath);
    assert.equal(door.address, socketPath);
    assert.equal((Deno.lstatSync(socketPath).mode ?? 0) & 0o777, 0o600);
  },
});

Deno.test({
  name: "admin server: the socket of a live daemon is left alone, and its pid named",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const { socketPath } = directory;
    await using _door = await openSocket(socketPath);
    await assert.rejects(openSocket(socketPath), {
      code: "SOCKET_IN_USE",
      message: new RegExp(`${socketPath} belongs to lvsd with pid ${Deno.pid};`),
      fields: { path: socketPath, pid: Deno.pid },
    });
    const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socketPath } });
    const answer = await fetch("http://localhost/healthz", { client });
    assert.equal(await answer.text(), "ok\n");
    client.close();
  },
});

Deno.test({
  name: "admin server: of two that start at once, exactly one gets the socket",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    for (let round = 0; round < 10; round++) {
      const starts = await Promise.allSettled([1, 2, 3].map(() => openSocket(directory.socketPath)));
      const doors = starts.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
      const codes = starts.flatMap((it) => it.status === "rejected" ? [it.reason.code] : []);
      assert.equal(doors.length, 1);
      assert.deepEqual(codes, ["SOCKET_IN_USE", "SOCKET_IN_USE"]);
      await doors[0]?.close();
    }
  },
});

Deno.test({
  name: "admin server: a file that is no socket is never removed",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    Deno.writeTextFileSync(directory.socketPath, "precious");
    await assert.rejects(openSocket(directory.socketPath), { code: "SOCKET_PATH_TAKEN" });
    assert.equal(Deno.readTextFileSync(directory.socketPath), "precious");
  },
});

Deno.test({
  name: "admin server: a path that is too long is told, not cut",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const path = `${directory.path}/${"x".repeat(110)}`;
    await assert.rejects(openSocket(path), { code: "SOCKET_PATH_TOO_LONG", message: /LVSD_SOCKET/ });
  },
});

Deno.test({
  name: "admin server: closing does not remove the socket of a successor",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    const first = await openSocket(directory.socketPath);
    Deno.removeSync(directory.socketPath);
    await using _second = await openSocket(directory.socketPath);
    await first.close();
    assert.equal(Deno.lstatSync(directory.socketPath).isSocket, true);
  },
});

Deno.test("admin server: closing lets a request under way end, and refuses new ones", async () => {
  const source = new FakeSource();
  const gate = Promise.withResolvers<void>();
  source.reloadGate = gate.promise;
  const started = Promise.withResolvers<void>();
  const reload = source.reload.bind(source);
  source.reload = () => {
    started.resolve();
    return reload();
  };
  const door = openTcp(source);
  const underWay = fetch(`http://${door.address}/reload`, { method: "POST" });
  await started.promise;
  const closing = door.close();
  await assert.rejects(fetch(`http://${door.address}/healthz`));
  gate.resolve();
  const answer = await underWay;
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).ok, true);
  await closing;
});

Deno.test("admin server: closing waits neither for a silent client nor for an endless request", async () => {
  const source = new FakeSource();
  const gate = Promise.withResolvers<void>();
  source.reloadGate = gate.promise;
  const door = openTcp(source);
  const port = portOf(door);
  using silent = await Deno.connect({ hostname: "127.0.0.1", port });
  using half = await Deno.connect({ hostname: "127.0.0.1", port });
  await half.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: "));
  const endless = fetch(`http://${door.address}/reload`, { method: "POST" });
  endless.catch(() => {});
  while (source.reloads === 0) await fetch(`http://${door.address}/healthz`).then((it) => it.text());
  const startMs = performance.now();
  await door.close();
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < LIMITS.adminCloseMs + 1_000, `closing took ${tookMs} ms`);
  await assert.rejects(endless);
  assert.equal(await silent.read(new Uint8Array(1)).catch(() => null), null);
  gate.resolve();
});
