/** Calls over a UDP service: what the persistence engine `sip` reads is the datagram that came. */
import assert from "node:assert/strict";
import { DaemonSetting } from "./daemon_setting.ts";

/** Answers with its name. */
class NamedPeer implements Disposable {
  readonly address: string;
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });

  constructor(name: string) {
    this.address = `127.0.0.1:${(this.#socket.addr as Deno.NetAddr).port}`;
    void (async () => {
      for await (const [, from] of this.#socket) {
        await this.#socket.send(new TextEncoder().encode(name), from);
      }
    })();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** One message from a socket of its own, and who answers it. */
async function call(port: number, id: string): Promise<string> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    const text = `INVITE sip:bob@example.net SIP/2.0\r\nCall-ID: ${id}\r\n\r\n`;
    await socket.send(new TextEncoder().encode(text), { transport: "udp", hostname: "127.0.0.1", port });
    const [answer] = await socket.receive();
    return new TextDecoder().decode(answer);
  } finally {
    socket.close();
  }
}

Deno.test("sip: a call stays with its server over many sockets, two calls of one host are two", async () => {
  using a = new NamedPeer("a");
  using b = new NamedPeer("b");
  await using setting = await DaemonSetting.start([{
    name: "sip",
    listen: "127.0.0.1:0",
    protocol: "udp",
    scheduler: "rr",
    persistence: { engine: "sip" },
    destinations: [a.address, b.address],
  }]);
  const port = Number(setting.service("sip").listen.split(":").at(-1));
  const answers: string[] = [];
  for (const id of ["one@x", "two@x", "one@x", "two@x", "one@x"]) answers.push(await call(port, id));
  assert.deepEqual(answers, ["b", "a", "b", "a", "b"]);
  const templates = [...setting.daemon.director.connections()].filter((it) => it.isTemplate);
  assert.deepEqual(templates.map((it) => `${it.state} ${it.persistenceData}`), [
    "ASSURED one@x",
    "ASSURED two@x",
  ]);
});
