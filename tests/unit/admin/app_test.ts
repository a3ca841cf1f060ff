/**
 * Every route of the admin API, and who may use it.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Access, createAdminApp } from "../../../admin/app.ts";
import { assertListenAllowed } from "../../../admin/guard.ts";
import { SystemError } from "../../../errors.ts";
import { IpAddress } from "../../../net/address.ts";
import { FakeSource } from "./fake_source.ts";

const LOOPBACK: Access = { kind: "loopback" };
const TOKEN: Access = { kind: "token", token: "s3cret-s3cret" };

interface Bench {
  readonly source: FakeSource;
  readonly defects: unknown[];
  ask(path: string, init?: RequestInit): Promise<Response>;
}

function bench(access: Access = LOOPBACK): Bench {
  const source = new FakeSource();
  const defects: unknown[] = [];
  const app = createAdminApp({ source, version: "9.9.9", access, onDefect: (error) => defects.push(error) });
  const ask = (path: string, init: RequestInit = {}) =>
    app(new Request(`http://localhost${path}`, { ...init, headers: { host: "localhost", ...init.headers } }));
  return { source, defects, ask };
}

async function errorCode(answer: Response): Promise<string> {
  return (await answer.json()).error.code;
}

Deno.test("admin: GET /healthz is ok while the process lives, even when nothing can be served", async () => {
  const { source, ask } = bench();
  source.ready = { ready: false, problems: [{ service: "web", reason: "no live server" }] };
  const answer = await ask("/healthz");
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), "ok\n");
});

Deno.test("admin: GET /readyz is 200 or 503, and names the service", async () => {
  const { source, ask } = bench();
  assert.equal((await ask("/readyz")).status, 200);
  source.ready = { ready: false, problems: [{ service: "web", reason: "no live server" }] };
  const answer = await ask("/readyz");
  assert.equal(answer.status, 503);
  assert.deepEqual(await answer.json(), source.ready);
});

Deno.test("admin: GET /status is the status as it is", async () => {
  const { source, ask } = bench();
  const answer = await ask("/status");
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
  assert.deepEqual(await answer.json(), source.current);
});

Deno.test("admin: GET /metrics is the text format 0.0.4", async () => {
  const { ask } = bench();
  const answer = await ask("/metrics");
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await answer.text(), /^lvs_service_connections_total\{service="web"\} 7$/m);
});

Deno.test("admin: POST /reload answers 200 with the changes, 422 with the mistakes", async () => {
  const { source, ask } = bench();
  source.outcome = { ok: true, message: "2 changes", problems: [], changes: ["a", "b"] };
  const applied = await ask("/reload", { method: "POST" });
  assert.equal(applied.status, 200);
  assert.deepEqual(await applied.json(), source.outcome);
  const problems = [{ file: "f.yaml", line: 3, column: 5, path: "services", message: "no" }];
  source.outcome = { ok: false, message: "1 mistake, nothing changed", problems, changes: [] };
  const refused = await ask("/reload", { method: "POST" });
  assert.equal(refused.status, 422);
  assert.deepEqual(await refused.json(), source.outcome);
  assert.equal(source.reloads, 2);
});

Deno.test("admin: GET / and docs/admin.md list every route that answers", async () => {
  const { ask } = bench({ kind: "owner" });
  const text = await (await ask("/")).text();
  const page = Deno.readTextFileSync(fileURLToPath(new URL("../../../docs/admin.md", import.meta.url)));
  const routes = [...text.matchAll(/^(GET|POST) +([/\w]+)/gm)];
  assert.equal(routes.length, 14);
  for (const [, method = "", path = ""] of routes) {
    const bodies: Readonly<Record<string, string>> = {
      "POST /sysctl": '{"name": "drop_entry", "value": "1"}',
      "POST /ipvsadm": '{"words": ["-L"], "stdin": ""}',
    };
    const body = bodies[`${method} ${path}`] ?? null;
    const query = path.startsWith("/explain")
      ? `?${new URLSearchParams({ flow: "192.0.2.1:1 -> web" })}`
      : "";
    assert.ok((await ask(path + query, { method, body })).ok, `${method} ${path}`);
    assert.match(page, new RegExp(`\\| \`${method} ${path}[?\`]`), "docs/admin.md has no row for it");
  }
});

Deno.test("admin: a question about what is no flow is answered with 422 and the reason", async () => {
  const { ask } = bench();
  const answer = await ask("/explain?flow=nonsense");
  assert.equal(answer.status, 422);
  assert.equal((await answer.json()).error.code, "FLOW_INVALID");
});

Deno.test("admin: HEAD answers as GET without a body", async () => {
  const { ask } = bench();
  for (const path of ["/", "/healthz", "/readyz", "/status", "/metrics"]) {
    const answer = await ask(path, { method: "HEAD" });
    assert.equal(answer.status, 200, path);
    assert.equal(await answer.text(), "", path);
  }
});

Deno.test("admin: a wrong method is 405 with Allow, and does nothing", async () => {
  const { source, ask } = bench();
  for (
    const [path, method, allow] of [
      ["/status", "POST", "GET, HEAD"],
      ["/", "DELETE", "GET, HEAD"],
      ["/reload", "GET", "POST"],
      ["/sysctl", "DELETE", "GET, HEAD, POST"],
      ["/reload", "HEAD", "POST"],
      ["/metrics", "PUT", "GET, HEAD"],
      ["/rules", "POST", "GET, HEAD"],
      ["/rules/zero", "GET", "POST"],
    ] as const
  ) {
    const answer = await ask(path, { method });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.headers.get("allow"), allow);
  }
  assert.equal(source.reloads, 0);
  assert.equal(source.zeroed, 0);
});

Deno.test("admin: an unknown path is 404 as JSON", async () => {
  const { ask } = bench();
  const answer = await ask("/nothing");
  assert.equal(answer.status, 404);
  assert.equal(await errorCode(answer), "NOT_FOUND");
});

Deno.test("admin: every answer carries the version and is not stored", async () => {
  for (const access of [LOOPBACK, TOKEN]) {
    const { ask } = bench(access);
    for (const path of ["/healthz", "/status", "/nothing", "/reload"]) {
      const { headers } = await ask(path);
      assert.equal(headers.get("lvsd-version"), "9.9.9", path);
      assert.equal(headers.get("cache-control"), "no-store", path);
    }
  }
});

Deno.test("admin: a defect is told to the daemon and not to the client", async () => {
  const { source, defects, ask } = bench();
  const defect = new TypeError("secret detail");
  source.status = () => {
    throw defect;
  };
  const answer = await ask("/status");
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /secret/);
  assert.deepEqual(defects, [defect]);
});

Deno.test("admin: an error of the closed set keeps its code and message", async () => {
  const { source, defects, ask } = bench();
  source.reload = () => Promise.reject(new SystemError("FILE_UNREADABLE", "cannot read f.yaml"));
  const answer = await ask("/reload", { method: "POST" });
  assert.equal(answer.status, 500);
  assert.deepEqual(await answer.json(), {
    error: { code: "FILE_UNREADABLE", message: "cannot read f.yaml" },
  });
  assert.deepEqual(defects, []);
});

Deno.test("admin: with a token, only who has it gets in", async () => {
  const { source, ask } = bench(TOKEN);
  const wrong = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    "Bearer s3cret-s3cre",
    "Bearer s3cret-s3crett",
    "Basic s3cret-s3cret",
  ];
  for (const authorization of wrong) {
    for (
      const [path, method] of [["/status", "GET"], ["/metrics", "GET"], ["/reload", "POST"], [
        "/nothing",
        "GET",
      ]] as const
    ) {
      const answer = await ask(path, { method, headers: authorization === "" ? {} : { authorization } });
      assert.equal(answer.status, 401, `${method} ${path} with "${authorization}"`);
      assert.equal(answer.headers.get("www-authenticate"), 'Bearer realm="lvsd"');
      assert.equal(await errorCode(answer), "UNAUTHORIZED");
    }
  }
  assert.equal(source.reloads, 0);
  const right = { authorization: "bearer s3cret-s3cret" };
  assert.equal((await ask("/status", { headers: right })).status, 200);
  assert.equal((await ask("/reload", { method: "POST", headers: right })).status, 200);
});

Deno.test("admin: /healthz needs no token, /readyz does", async () => {
  const { ask } = bench(TOKEN);
  assert.equal((await ask("/healthz")).status, 200);
  assert.equal((await ask("/readyz")).status, 401);
});

Deno.test("admin: with a token any host name is good", async () => {
  const { ask } = bench(TOKEN);
  const headers = { host: "lb.example", authorization: "Bearer s3cret-s3cret" };
  assert.equal((await ask("/status", { headers })).status, 200);
});

Deno.test("admin: without a token only loopback names are answered (DNS rebinding)", async () => {
  const { source, ask } = bench();
  for (
    const host of [
      "localhost",
      "LocalHost:9180",
      "127.0.0.1",
      "127.0.0.1:9180",
      "127.9.9.9:1",
      "[::1]",
      "[::1]:9180",
    ]
  ) {
    assert.equal((await ask("/status", { headers: { host } })).status, 200, host);
  }
  const foreign = [
    "evil.example",
    "evil.example:9180",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "[::2]",
    "[::1",
    "::1:9180",
    "0.0.0.0",
    "[::]",
    "localhost:x",
    "",
  ];
  for (const host of foreign) {
    const answer = await ask("/reload", { method: "POST", headers: { host } });
    assert.equal(answer.status, 403, host);
    assert.equal(await errorCode(answer), "HOST_NOT_ALLOWED");
  }
  assert.equal(source.reloads, 0);
});

Deno.test("admin: a page of another origin cannot reload, curl and the own origin can", async () => {
  for (const access of [LOOPBACK, { kind: "owner" }] as const) {
    const { source, ask } = bench(access);
    const foreign: Record<string, string>[] = [
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: "http://localhost:3000" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ];
    for (const headers of foreign) {
      const answer = await ask("/reload", { method: "POST", headers });
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.equal(await errorCode(answer), "CROSS_SITE");
    }
    assert.equal(source.reloads, 0);
    for (const headers of [{}, { origin: "http://localhost", "sec-fetch-site": "same-origin" }]) {
      assert.equal((await ask("/reload", { method: "POST", headers })).status, 200);
    }
  }
});

Deno.test("admin: an open address without a token is refused, and told what to do", () => {
  for (const address of ["0.0.0.0", "::", "10.0.0.1", "2001:db8::1"]) {
    const listen = { address: IpAddress.parse(address), port: 9180 };
    assert.throws(() => assertListenAllowed(listen, undefined), {
      code: "ADMIN_TOKEN_MISSING",
      message: /admin\.token/,
    });
    assert.doesNotThrow(() => assertListenAllowed(listen, "abc"));
  }
  for (const address of ["127.0.0.1", "127.8.8.8", "::1"]) {
    assert.doesNotThrow(() => assertListenAllowed({ address: IpAddress.parse(address), port: 0 }, undefined));
  }
});

Deno.test("admin: a token that no header can carry is refused, also on loopback", () => {
  const listen = { address: IpAddress.parse("127.0.0.1"), port: 0 };
  for (const token of ["", " ", "a b", "ä", "a\nb"]) {
    assert.throws(() => assertListenAllowed(listen, token), { code: "ADMIN_TOKEN_INVALID" });
  }
});

Deno.test("admin: a switch is set by what the body says, and by nothing else", async () => {
  const { source, ask } = bench();
  const post = async (body: string) => {
    const answer = await ask("/sysctl", { method: "POST", body });
    return [answer.status, await answer.json()] as const;
  };
  const [status, state] = await post('{"name": "net.ipv4.vs.drop_entry", "value": 3}');
  assert.deepEqual([status, state.name, state.value, source.sysctl.drop_entry], [200, "drop_entry", "3", 3]);
  for (const body of ["", "null", "[]", "{", '{"name": "drop_entry"}', '{"name": 1, "value": "1"}']) {
    const [wrong, { error }] = await post(body);
    assert.deepEqual([wrong, error.code], [400, "BAD_REQUEST"], body);
  }
  assert.deepEqual((await post('{"name": "drop_all", "value": "1"}'))[0], 404);
  const [refused, { error }] = await post('{"name": "drop_entry", "value": "9"}');
  assert.deepEqual([refused, error.code, source.sysctl.drop_entry], [422, "EINVAL", 3]);
});
