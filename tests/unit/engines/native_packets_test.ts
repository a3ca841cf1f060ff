/** Packets of streams: what the peers' own kernels say they have sent is what the director counts. */
import assert from "node:assert/strict";
import { NativeEngine } from "../../../engines/native/native.ts";
import { addressOf, Libc } from "../../../sys/libc.ts";
import { LEVEL, TCP_INFO, TCP_OPTION } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";
import { member } from "../../conformance/engines/tcp_native_engine.ts";
import { openSetting, type TcpSetting } from "../../conformance/engines/tcp_setting.ts";

const ignore = Deno.build.os !== "linux";

/** The socket of this process with these two ports, and what its kernel has sent. */
function sentBy(libc: Libc, localPort: number): number {
  const sockets = new Sockets(libc);
  const info = new Uint32Array(TCP_INFO.bytes / 4);
  const length = new Uint32Array([TCP_INFO.bytes]);
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (sockets.localEndpoint(Number(name)).port !== localPort) continue;
    } catch {
      continue;
    }
    libc.getOption(Number(name), LEVEL.tcp, TCP_OPTION.info, addressOf(info), addressOf(length));
    return info[TCP_INFO.segmentsOut] ?? 0;
  }
  throw new Error(`no socket at port ${localPort}`);
}

function counted({ director, service }: TcpSetting): { inPackets: number; outPackets: number } {
  const { inPackets, outPackets } = director.serviceView(service).statistics;
  return { inPackets, outPackets };
}

Deno.test({
  name: "native: packets are counted while a connection lives, and at its end, as its peers have sent them",
  ignore,
  fn: async () => {
    using libc = Libc.open();
    await using setting = await openSetting(member);
    assert.ok(setting.engine instanceof NativeEngine);
    const { server } = await setting.addServer();
    const { client, served } = await setting.pair(server);
    const clientPort = client.socket.localPort ?? 0;
    for (let i = 1; i <= 40; i++) {
      client.send("question");
      await served.received(8 * i);
      served.send("an answer of another length");
      await client.received(27 * i);
    }
    const sent = sentBy(libc, clientPort);
    assert.ok(sent >= 40, `${sent} sent`);
    // Not more than was sent, and within the last acknowledgement of it; the connection still lives.
    const lateMs = performance.now() + 5_000;
    while (counted(setting).inPackets < sent - 1) {
      assert.ok(performance.now() < lateMs, `${JSON.stringify(counted(setting))} of ${sent}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(counted(setting).inPackets <= sentBy(libc, clientPort));
    assert.equal(setting.engine.liveConnections(), 1);
    client.end();
    await served.ended;
    served.end();
    await setting.events.until("it is over", () => setting.events.endings.length === 1);
    const { inPackets, outPackets } = counted(setting);
    // The end of the stream came too; the acknowledgement of the last end comes when the socket is closed already.
    assert.ok(
      inPackets >= sent + 1 && inPackets <= sent + 4,
      `${inPackets} counted, ${sent} sent before the end`,
    );
    assert.ok(outPackets >= 42 && outPackets <= 90, `${outPackets} out`);
    const { inPackets: ofDestination } = setting.director.destinationViews(setting.service)[0]?.statistics ??
      {};
    assert.equal(ofDestination, inPackets);
  },
});

Deno.test({
  name: "native: packets of a connection that is reset are counted too",
  ignore,
  fn: async () => {
    await using setting = await openSetting(member);
    const { server } = await setting.addServer();
    const { client, served } = await setting.pair(server);
    client.send("question");
    await served.received(8);
    client.reset();
    assert.equal(await served.ended, "reset");
    await setting.events.until("it is over", () => setting.events.endings.length === 1);
    const { inPackets, outPackets } = counted(setting);
    // SYN, ACK, question, RST | SYN+ACK, ACK
    assert.ok(inPackets >= 3 && inPackets <= 5, `${inPackets} in`);
    assert.ok(outPackets >= 1 && outPackets <= 3, `${outPackets} out`);
  },
});
