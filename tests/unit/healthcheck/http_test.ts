import assert from "node:assert/strict";
import fc from "fast-check";
import { ValueError } from "../../../errors.ts";
import { CheckError, type CheckResult } from "../../../healthcheck/check.ts";
import { HttpCheck, type HttpCheckOptions } from "../../../healthcheck/http.ts";
import { LIMITS } from "../../../limits.ts";
import { IpAddress } from "../../../net/address.ts";
import { MemoryDialer } from "./memory_stream.ts";

const PLAIN: HttpCheckOptions = {
  type: "http",
  method: "GET",
  path: "/",
  headers: {},
  status: [{ from: 200, to: 399 }],
  verify: false,
};
const OK = "HTTP/1.1 200 OK\r\n";

async function ask(
  options: Partial<HttpCheckOptions>,
  pieces: readonly (string | Uint8Array)[],
  target = "192.0.2.1",
  port = 8_080,
): Promise<{ result: CheckResult; dialer: MemoryDialer }> {
  const dialer = new MemoryDialer(pieces);
  const check = new HttpCheck({ ...PLAIN, ...options });
  const endpoint = { address: IpAddress.parse(target), port };
  try {
    return { result: await check.run(endpoint, dialer, new AbortController().signal), dialer };
  } catch (error) {
    if (!(error instanceof CheckError)) throw error;
    return { result: { up: false, reason: error.reason, detail: error.message }, dialer };
  }
}

/** `up`, or reason and detail in one line. */
function verdict(result: CheckResult): string {
  return result.up ? "up" : `${result.reason}: ${result.detail}`;
}

Deno.test("http: the request, to the byte", async () => {
  const { dialer } = await ask({
    path: "/health?full=1",
    host: "app.test:81",
    headers: { "X-Probe": "1", "user-agent": "me", "Connection": "keep-alive" },
  }, [OK + "\r\n"]);
  assert.equal(
    dialer.written,
    "GET /health?full=1 HTTP/1.1\r\nHost: app.test:81\r\nuser-agent: me\r\nAccept: */*\r\n" +
      "X-Probe: 1\r\nConnection: close\r\n\r\n",
  );
  assert.deepEqual([dialer.dialled.length, dialer.disposed], [1, 1]);
});

Deno.test("http: Host is the address when nothing else is given, without a default port", async () => {
  const hosts: [type: "http" | "https", target: string, port: number, host: string][] = [
    ["http", "192.0.2.1", 80, "192.0.2.1"],
    ["http", "192.0.2.1", 443, "192.0.2.1:443"],
    ["http", "192.0.2.1", 8080, "192.0.2.1:8080"],
    ["https", "192.0.2.1", 443, "192.0.2.1"],
    ["http", "2001:db8::1", 80, "[2001:db8::1]"],
    ["http", "2001:db8::1", 8080, "[2001:db8::1]:8080"],
  ];
  for (const [type, target, port, host] of hosts) {
    const { dialer } = await ask({ type }, [OK + "\r\n"], target, port);
    assert.match(dialer.written, new RegExp(`\r\nHost: ${host.replace(/[[\]]/g, "\\$&")}\r\n`));
    assert.equal(dialer.dialled[0]?.target, `${target} ${port}`, "the address itself is dialled");
  }
});

Deno.test("https: SNI is serverName, else the host's name, never an address", async () => {
  const names: [options: Partial<HttpCheckOptions>, serverName: string | undefined][] = [
    [{}, undefined],
    [{ host: "app.test" }, "app.test"],
    [{ host: "app.test:8443" }, "app.test"],
    [{ host: "192.0.2.7:8443" }, undefined],
    [{ host: "[2001:db8::7]:8443" }, undefined],
    [{ host: "app.test", serverName: "other.test" }, "other.test"],
  ];
  for (const [options, serverName] of names) {
    const { dialer } = await ask({ type: "https", verify: true, ...options }, [OK + "\r\n"]);
    assert.deepEqual(dialer.dialled, [
      { how: "tls", target: "192.0.2.1 8080", serverName, verify: true, alpn: ["http/1.1"] },
    ]);
  }
});

Deno.test("http: status ranges include their ends, and a redirect is an answer, not a way", async () => {
  const status = [{ from: 200, to: 204 }, { from: 302, to: 302 }];
  for (
    const [code, up] of [[199, false], [200, true], [204, true], [205, false], [302, true], [
      303,
      false,
    ]] as const
  ) {
    const { result } = await ask({ status }, [`HTTP/1.1 ${code} x\r\nLocation: http://elsewhere/\r\n\r\n`]);
    // 199 is an interim answer, and no final one follows.
    assert.equal(result.up, up, `${code}`);
  }
  const { result, dialer } = await ask({ status: [{ from: 200, to: 200 }] }, [
    "HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\n\r\n",
  ]);
  assert.equal(verdict(result), 'status: "HTTP 301 Moved" to "http://elsewhere/", not 200');
  assert.equal(dialer.dialled.length, 1);
});

Deno.test("http: the body, by length, by chunks and until the end", async () => {
  const body = /^all is well$/m;
  const good: Record<string, string> = {
    "by length": OK + "Content-Length: 11\r\n\r\nall is wellAND MORE",
    "by chunks": OK +
      "Transfer-Encoding: gzip, chunked\r\n\r\n4;x=y\r\nall \r\n7\r\nis well\r\n0\r\nTrailer: x\r\n\r\n",
    "until the end": OK + "\r\nall is well",
    "bare line feeds": "HTTP/1.0 200\ncontent-length: 11\n\nall is well",
    "after interim answers": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK +
      "\r\nall is well",
    "chunked wins over length": OK +
      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nall is well\r\n0\r\n\r\n",
  };
  for (const [name, answer] of Object.entries(good)) {
    assert.equal(verdict((await ask({ body }, [answer])).result), "up", name);
  }
});

Deno.test("http: answers that are wrong, each with its reason", async () => {
  const body = /well/;
  const wrong: [answer: string, verdict: RegExp][] = [
    ["", /^closed: closed without an answer/],
    ["SSH-2.0-OpenSSH_9.6\r\n", /^protocol: not an HTTP\/1.1 status line: "SSH-2.0-OpenSSH_9.6"/],
    ["HTTP/2 200\r\n\r\n", /^protocol: not an HTTP/],
    ["HTTP/1.1 20 OK\r\n\r\n", /^protocol: not an HTTP/],
    ["HTT", /^protocol: closed after "HTT", which is not HTTP/],
    [OK + "X: y\r\n", /^closed: closed in the middle/],
    [OK + "Content-Length: 5\r\n\r\nwell", /^closed: closed 1 bytes before the end/],
    [OK + "Content-Length: many\r\n\r\nwell", /^protocol: not a content length: "many"/],
    [OK + "Transfer-Encoding: chunked\r\n\r\nwell\r\n", /^protocol: not a chunk size: "well"/],
    [OK + "Transfer-Encoding: chunked\r\n\r\n4\r\nwell, well\r\n", /^protocol: a chunk is longer/],
    [OK + "Transfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n", /^closed: /],
    [OK + "\r\nnot quite", /^body: body "not quite" does not match \/well\//],
    [OK + "X: " + "y".repeat(LIMITS.healthHeaderBytes), /^protocol: a line of more than 16384 bytes/],
    [OK + "X: y\r\n".repeat(LIMITS.healthHeaderBytes / 6), /^protocol: a header of more than 16384 bytes/],
    ["HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000), /^protocol: a header of more than 16384 bytes/],
  ];
  for (const [answer, expected] of wrong) {
    assert.match(verdict((await ask({ body }, [answer])).result), expected);
  }
});

Deno.test("http: without a body to match, nothing after the header is read", async () => {
  const { result, dialer } = await ask({}, [OK + "Content-Length: 1000000\r\n\r\n", "x".repeat(1_000_000)]);
  assert.ok(result.up);
  assert.ok(dialer.bytesRead < 100);
});

Deno.test("http: HEAD, 204 and 304 have no body, whatever their header says", async () => {
  const body = /^$/;
  const cases: [method: string, status: string][] = [["HEAD", "200 OK"], ["GET", "204 No Content"], [
    "GET",
    "304 Not Modified",
  ]];
  for (const [method, status] of cases) {
    const { result } = await ask({ method, body }, [`HTTP/1.1 ${status}\r\nContent-Length: 5\r\n\r\n`]);
    assert.equal(verdict(result), "up", `${method} ${status}`);
  }
});

Deno.test("http: the body is searched to its limit and not beyond", async () => {
  const filler = "x".repeat(LIMITS.healthAnswerBytes - 5);
  assert.ok((await ask({ body: /ready/ }, [OK + "\r\n", filler, "ready"])).result.up);
  const { result, dialer } = await ask({ body: /ready/ }, [OK + "\r\n", filler, "xready", "y".repeat(9_999)]);
  assert.ok(!result.up);
  assert.ok(dialer.bytesRead <= LIMITS.healthAnswerBytes + LIMITS.healthHeaderBytes);
});

Deno.test("http: a global or sticky expression finds the same each time", async () => {
  for (const body of [/ready/g, /ready/y]) {
    const check = new HttpCheck({ ...PLAIN, body });
    for (let i = 0; i < 3; i++) {
      const dialer = new MemoryDialer([OK + "\r\nready"]);
      const target = { address: IpAddress.parse("192.0.2.1"), port: 80 };
      assert.ok((await check.run(target, dialer, new AbortController().signal)).up, `${body}, run ${i}`);
    }
  }
});

Deno.test("http: however an answer is cut into pieces, the verdict is the same", async () => {
  const answers = [
    OK + "Content-Length: 11\r\n\r\nall is well",
    OK + "Transfer-Encoding: chunked\r\n\r\n4;x=y\r\nall \r\n7\r\nis well\r\n0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n" + OK + "\r\nall is well",
    "HTTP/1.1 503 Sorry\r\n\r\nall is well",
    OK + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    OK + "Content-Length: 12\r\n\r\nall is well",
  ];
  await fc.assert(fc.asyncProperty(
    fc.constantFrom(...answers),
    fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 40 }),
    async (answer, sizes) => {
      const pieces: string[] = [];
      for (let at = 0, i = 0; at < answer.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        pieces.push(answer.slice(at, at + size));
        at += size;
      }
      const whole = await ask({ body: /^all is well$/ }, [answer]);
      const cut = await ask({ body: /^all is well$/ }, pieces);
      assert.deepEqual(cut.result, whole.result);
    },
  ));
});

Deno.test("http: any bytes at all end in a verdict, never in another error, and in bounded reading", async () => {
  const start = fc.constantFrom("", "HTTP/1.1 ", OK, OK + "\r\n", OK + "Transfer-Encoding: chunked\r\n\r\n");
  await fc.assert(fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (start, bytes) => {
    const { result, dialer } = await ask({ body: /./ }, [start, bytes]);
    assert.notEqual(result.detail, "");
    assert.equal(dialer.disposed, 1);
  }));
});

Deno.test("http: what would break the request is refused when the check is made", () => {
  const broken: [options: Partial<HttpCheckOptions>, message: RegExp][] = [
    [{ method: "GET /" }, /method "GET \/" breaks the request; write a word such as GET/],
    [{ path: "health" }, /path "health" breaks the request; begin with \//],
    [{ path: "/a b" }, /%20/],
    [{ path: "/\r\nX: y" }, /path/],
    [{ host: "a\r\nX: y" }, /host/],
    [{ headers: { "X Probe": "1" } }, /header name "X Probe"/],
    [{ headers: { "X-Probe": "1\r\nX: y" } }, /header X-Probe .* one line/],
  ];
  for (const [options, message] of broken) {
    assert.throws(() => new HttpCheck({ ...PLAIN, ...options }), (error: unknown) => {
      assert.ok(error instanceof ValueError && error.code === "HEALTH_CHECK_INVALID");
      assert.match(error.message, message);
      return true;
    });
  }
});
