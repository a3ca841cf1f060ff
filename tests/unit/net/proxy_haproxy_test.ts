/** The PROXY protocol before its inventor: HAProxy reads what we write, and we read what it writes. */
import assert from "node:assert/strict";
import { formatEndpoint, isNamed, parseEndpoint } from "../../../net/endpoint.ts";
import { ProxyDecoder } from "../../../net/proxy_decoder.ts";
import { encodeProxyLocal, encodeProxyV1, encodeProxyV2 } from "../../../net/proxy_protocol.ts";
import { startHaproxy } from "../../peers/haproxy.ts";
import { peerTest } from "../../peers/required_peers.ts";

const GLOBAL = `
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
`;

/** Answers with the addresses that the header told it. */
const READER = (port: number) =>
  `${GLOBAL}
frontend reader
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]|%[src_port]|%[dst]|%[dst_port]"
`;

const WRITERS = ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c"];

const WRITER = (server: string) => (port: number) => `
defaults
  mode tcp
  timeout connect 2s
  timeout client 5s
  timeout server 5s
listen writer
  bind 127.0.0.1:${port}
  server one ${server}
`;

function at(text: string) {
  const endpoint = parseEndpoint(text);
  assert.ok(!isNamed(endpoint));
  return endpoint;
}

async function askThrough(port: number, header: Uint8Array): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(connection, header);
  await writeAll(connection, new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  const answer = await new Response(connection.readable).text();
  return answer.split("\r\n\r\n")[1] ?? answer;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

peerTest("proxy: HAProxy reads our headers, both versions and families", ["haproxy"], async () => {
  await using haproxy = await startHaproxy(READER);
  for (
    const [client, virtual, seen] of [
      ["192.0.2.7:56324", "192.0.2.1:443", "192.0.2.7|56324|192.0.2.1|443"],
      ["[2001:db8::7]:1", "[2001:db8::1]:65535", "2001:db8::7|1|2001:db8::1|65535"],
    ] as const
  ) {
    assert.equal(await askThrough(haproxy.port, encodeProxyV1(at(client), at(virtual))), seen);
    assert.equal(await askThrough(haproxy.port, encodeProxyV2("tcp", at(client), at(virtual))), seen);
  }
  const local = await askThrough(haproxy.port, encodeProxyLocal());
  assert.match(local, new RegExp(`^127\\.0\\.0\\.1\\|\\d+\\|127\\.0\\.0\\.1\\|${haproxy.port}$`));
});

for (const option of WRITERS) {
  peerTest(`proxy: we read HAProxy's header (${option})`, ["haproxy"], async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using haproxy = await startHaproxy(WRITER(`127.0.0.1:${listener.addr.port} ${option}`));
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: haproxy.port });
    await writeAll(connection, new TextEncoder().encode("payload"));
    const { destination, payload } = await readFrom(`127.0.0.1:${connection.localAddr.port}`, listener);
    assert.equal(destination, `127.0.0.1:${haproxy.port}`);
    assert.equal(payload, "payload");
  });
}

/** The connection of one client. Others come through too: the peer's start looks at the port, and is gone at once. */
async function readFrom(client: string, listener: Deno.Listener) {
  for (;;) {
    try {
      using accepted = await listener.accept();
      const header = await readHeader(accepted);
      if (header.source === client) return header;
    } catch (error) {
      const isGone = error instanceof Deno.errors.NotConnected ||
        error instanceof Deno.errors.ConnectionReset;
      if (!isGone) throw error;
    }
  }
}

async function readHeader(
  connection: Deno.Conn,
): Promise<{ source: string; destination: string; payload: string }> {
  const decoder = new ProxyDecoder();
  const buffer = new Uint8Array(1_024);
  for (;;) {
    const length = await connection.read(buffer);
    assert.ok(length !== null, "closed before its header was whole");
    const progress = decoder.push(buffer.subarray(0, length));
    if (progress.state === "more") continue;
    assert.ok(progress.state === "header", progress.state);
    const { source, destination } = progress.header;
    let payload = new TextDecoder().decode(progress.rest);
    while (payload.length < "payload".length) {
      const more = await connection.read(buffer);
      if (more === null) break;
      payload += new TextDecoder().decode(buffer.subarray(0, more));
    }
    return {
      source: source === undefined ? "" : formatEndpoint(source),
      destination: destination === undefined ? "" : formatEndpoint(destination),
      payload,
    };
  }
}
