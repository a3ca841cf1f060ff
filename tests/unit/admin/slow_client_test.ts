/**
 * Clients that hold connections of the admin API without using them: few, and not for long.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ADMIN_WAITS, HttpListener } from "../../../admin/http_listener.ts";
import { ManualClock } from "../../../clock.ts";
import { LIMITS } from "../../../limits.ts";

type Handler = (request: Request) => Promise<Response>;

/** Stands for an answer of a daemon; `/long` waits until `release`. */
class Bench implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly listener: HttpListener;
  readonly #started = Promise.withResolvers<void>();
  readonly #gate = Promise.withResolvers<void>();

  constructor(handler?: Handler) {
    const place = { host: "127.0.0.1", port: 0 };
    this.listener = HttpListener.open(place, handler ?? ((request) => this.#answer(request)), this.clock);
  }

  /** A request to `/long` is being worked on. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  release(): void {
    this.#gate.resolve();
  }

  async connect(beginning = ""): Promise<Deno.TcpConn> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.listener.port });
    if (beginning !== "") await connection.write(new TextEncoder().encode(beginning));
    return connection;
  }

  /** Also proves that every connection made before was accepted: they are accepted in order. */
  async ask(path = "/"): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${this.listener.port}${path}`);
    return await answer.text();
  }

  async #answer({ url }: Request): Promise<Response> {
    if (url.endsWith("/long")) {
      this.#started.resolve();
      await this.#gate.promise;
    }
    return new Response("done");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    const closed = this.listener.close();
    this.clock.advance(ADMIN_WAITS.closeMs);
    await closed;
    assert.equal(this.clock.pendingTimers, 0, "a timer was left behind");
  }
}

/** What the server sends until it ends the connection. */
async function untilEnd(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const size = await connection.read(buffer).catch(() => null);
    if (size === null) return text;
    text += new TextDecoder().decode(buffer.subarray(0, size));
  }
}

/** Resolves as soon as `isTrue`; lets everything else run between two looks. */
async function until(isTrue: () => boolean): Promise<void> {
  for (let looks = 0; !isTrue(); looks++) {
    assert.ok(looks < 5_000, "it never came true");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const HEAD = "Host: localhost\r\n";

Deno.test("slow admin client: silence, half a header and half a body all end in time, not before", async () => {
  await using bench = new Bench();
  const beginnings = [
    "",
    `GET / HTTP/1.1\r\n${HEAD}X-Slow: `,
    `POST / HTTP/1.1\r\n${HEAD}Content-Length: 10\r\n\r\nabc`,
    `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
  ];
  const clients = await Promise.all(beginnings.map((beginning) => bench.connect(beginning)));
  let ended = 0;
  const ends = clients.map((client) => untilEnd(client).then(() => ended++));
  await bench.ask();
  bench.clock.advance(ADMIN_WAITS.requestMs - 1);
  await bench.ask();
  assert.equal(ended, 0);
  bench.clock.advance(1);
  await until(() => ended === beginnings.length);
  await Promise.all(ends);
  for (const client of clients) client.close();
});

Deno.test("slow admin client: one header line at a time does not buy more time", async () => {
  await using bench = new Bench();
  using client = await bench.connect(`GET / HTTP/1.1\r\n${HEAD}`);
  const ended = untilEnd(client);
  for (let atMs = 0; atMs < ADMIN_WAITS.requestMs; atMs += 500) {
    await client.write(new TextEncoder().encode("X-Drip: 1\r\n"));
    await bench.ask();
    bench.clock.advance(500);
  }
  assert.equal(await ended, "");
});

Deno.test("slow admin client: one that does not read its answer is cut off", async () => {
  // More than the socket buffers of both sides hold.
  const page = new Uint8Array(16 * 1_024 * 1_024);
  const asked = Promise.withResolvers<void>();
  await using bench = new Bench(() => {
    asked.resolve();
    return Promise.resolve(new Response(page));
  });
  using client = await bench.connect(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
  const { clock } = bench;
  await asked.promise;
  // The request's deadline is gone by now; the next one is the answer's.
  await until(() => clock.pendingTimers === 1);
  clock.advance(ADMIN_WAITS.answerMs);
  const text = await untilEnd(client);
  assert.ok(text.length < page.byteLength, `${text.length} bytes came: it was not cut off`);
});

Deno.test("slow admin client: connections are few, and who really asks is answered", async () => {
  await using bench = new Bench();
  const count = LIMITS.adminConnections + 20;
  const silent: Deno.TcpConn[] = [];
  // One after the other, so that their order is known.
  for (let i = 0; i < count; i++) silent.push(await bench.connect());
  let ended = 0;
  const ends = silent.map((connection) => untilEnd(connection).then(() => ended++));
  assert.equal(await bench.ask(), "done");
  // The oldest gave way to the 20 too many and to the one that asked.
  await until(() => ended >= 21);
  await Promise.all(ends.slice(0, 21));
  assert.equal(ended, 21);
  for (const connection of silent) connection.close();
  await Promise.all(ends);
});

Deno.test("slow admin client: a request under way is not pushed out", async () => {
  await using bench = new Bench();
  const long = bench.ask("/long");
  await bench.started;
  const others = await Promise.all(
    Array.from({ length: 2 * LIMITS.adminConnections }, () => bench.connect()),
  );
  assert.equal(await bench.ask("/short"), "done");
  bench.release();
  assert.equal(await long, "done");
  for (const connection of others) connection.close();
});

Deno.test("slow admin client: a request that takes long to answer has no deadline", async () => {
  await using bench = new Bench();
  const long = bench.ask("/long");
  await bench.started;
  bench.clock.advance(10 * ADMIN_WAITS.requestMs + ADMIN_WAITS.answerMs);
  bench.release();
  assert.equal(await long, "done");
});

Deno.test("slow admin client: one that ends its side after the request is answered", async () => {
  await using bench = new Bench();
  using client = await bench.connect(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
  await client.closeWrite();
  assert.match(await untilEnd(client), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\ndone$/);
});

Deno.test("slow admin client: clients that reset in any phase leave nothing behind", async () => {
  await using bench = new Bench();
  for (
    const beginning of [
      "",
      "GET /",
      `GET / HTTP/1.1\r\n${HEAD}\r\n`,
      `GET /long HTTP/1.1\r\n${HEAD}\r\n`,
      "\0\xff\r\n\r\n",
    ]
  ) {
    const client = await bench.connect(beginning);
    client.close();
    assert.equal(await bench.ask(), "done");
  }
  bench.release();
  await until(() => bench.clock.pendingTimers === 0);
});

/** Takes every descriptor that its process may have, then gives them back. */
const OUT_OF_DESCRIPTORS = `
  import { HttpListener } from ${JSON.stringify(import.meta.resolve("../../../admin/http_listener.ts"))};
  import { SystemClock } from ${JSON.stringify(import.meta.resolve("../../../clock.ts"))};
  const answer = () => Promise.resolve(new Response("ok"));
  const listener = HttpListener.open({ host: "127.0.0.1", port: 0 }, answer, new SystemClock());
  const taken = [];
  try {
    for (;;) taken.push(Deno.openSync("/dev/null"));
  } catch {
    console.log(listener.port);
  }
  await Deno.stdin.read(new Uint8Array(1));
  for (const file of taken) file.close();
`;

Deno.test({
  name: "slow admin client: accept goes on after the process ran out of descriptors",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
    const script = 'ulimit -n 64; exec "$0" run -A --config "$1" "$2"';
    const file = Deno.makeTempFileSync({ suffix: ".ts" });
    try {
      Deno.writeTextFileSync(file, OUT_OF_DESCRIPTORS);
      await using child = new Deno.Command("sh", {
        args: ["-c", script, Deno.execPath(), config, file],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const output = child.stdout.getReader();
      const { value } = await output.read();
      const port = Number(new TextDecoder().decode(value));
      // The kernel completes the connection; the process cannot take it yet.
      const waiting = fetch(`http://127.0.0.1:${port}/`);
      using _second = await Deno.connect({ hostname: "127.0.0.1", port });
      const input = child.stdin.getWriter();
      await input.write(new TextEncoder().encode("\n"));
      await input.close();
      assert.equal(await (await waiting).text(), "ok");
      child.kill("SIGKILL");
      await output.cancel();
    } finally {
      Deno.removeSync(file);
    }
  },
});
