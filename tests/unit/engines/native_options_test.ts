/** Socket options: in force on the sockets themselves, asked of the kernel. */
import assert from "node:assert/strict";
import { switchedOff } from "../../../engines/native/socket_options.ts";
import type { TcpOptions } from "../../../net/tcp_options.ts";
import { addressOf, Libc } from "../../../sys/libc.ts";
import { LEVEL, SOCKET_OPTION, TCP_OPTION } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";
import { readSwitch } from "../../../sys/switches.ts";
import { member } from "../../conformance/engines/tcp_native_engine.ts";
import type { PeerServer } from "../../conformance/engines/tcp_peers.ts";
import { openSetting, type TcpSetting } from "../../conformance/engines/tcp_setting.ts";

const ignore = Deno.build.os !== "linux";
const ALL: TcpOptions = {
  userTimeoutMs: 12_345,
  keepAlive: { idleMs: 61_000, intervalMs: 7_000, count: 4 },
  deferAcceptMs: 3_000,
  fastOpenClients: 99,
};

/** What the kernel says of a socket. */
function optionsOf(libc: Libc, descriptor: number): Record<string, number> {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  const ask = (level: number, option: number) => {
    libc.getOption(descriptor, level, option, addressOf(value), addressOf(length));
    return value[0] ?? -1;
  };
  const { noDelay, userTimeout, keepIdle, keepInterval, keepCount, deferAccept, fastOpen } = TCP_OPTION;
  return {
    noDelay: ask(LEVEL.tcp, noDelay),
    userTimeout: ask(LEVEL.tcp, userTimeout),
    keepAlive: ask(LEVEL.socket, SOCKET_OPTION.keepAlive),
    keepIdle: ask(LEVEL.tcp, keepIdle),
    keepInterval: ask(LEVEL.tcp, keepInterval),
    keepCount: ask(LEVEL.tcp, keepCount),
    deferAccept: ask(LEVEL.tcp, deferAccept),
    fastOpen: ask(LEVEL.tcp, fastOpen),
    busyPoll: ask(LEVEL.socket, SOCKET_OPTION.busyPoll),
  };
}

/** Sockets of this process that have a local port, lowest descriptor first. */
function socketsAt(libc: Libc, port: number): number[] {
  const sockets = new Sockets(libc);
  const all = [...Deno.readDirSync("/proc/self/fd")].map((it) => Number(it.name)).sort((a, b) => a - b);
  return all.filter((descriptor) => {
    try {
      return sockets.localEndpoint(descriptor).port === port;
    } catch {
      return false;
    }
  });
}

/** A connection that has carried a byte, and the options of the engine's three sockets. */
async function look(setting: TcpSetting, server: PeerServer, libc: Libc) {
  const ended = setting.events.endings.length;
  const client = await setting.connect();
  client.send("x");
  const served = await server.next();
  await served.received(1);
  const [listener = -1, accepted = -1] = socketsAt(libc, setting.to.port);
  const [connected = -1] = socketsAt(libc, served.socket.remotePort ?? 0);
  const found = [listener, accepted, connected].map((it) => optionsOf(libc, it));
  client.end();
  await served.ended;
  served.end();
  await setting.events.until("it is over", () => setting.events.endings.length > ended);
  return found;
}

Deno.test({
  name: "native: socket options are in force on listener, client's and server's socket, and go with a reload",
  ignore,
  fn: async () => {
    using libc = Libc.open();
    await using setting = await openSetting(member, { options: { tcp: ALL } });
    const { server } = await setting.addServer();
    const [listener, accepted, connected] = await look(setting, server, libc);
    assert.deepEqual([listener?.deferAccept, listener?.fastOpen], [3, 99]);
    for (const it of [accepted, connected]) {
      const { userTimeout, keepAlive, keepIdle, keepInterval, keepCount } = it ?? {};
      assert.deepEqual([userTimeout, keepAlive, keepIdle, keepInterval, keepCount], [12_345, 1, 61, 7, 4]);
    }
    assert.equal(accepted?.noDelay, 1);
    const { tcp: _, ...plain } = setting.open.binding.options;
    setting.open.update(plain);
    const [later, laterAccepted, laterConnected] = await look(setting, server, libc);
    assert.deepEqual([later?.deferAccept, later?.fastOpen], [0, 0]);
    for (const it of [laterAccepted, laterConnected]) {
      assert.deepEqual([it?.userTimeout, it?.keepAlive], [0, 0]);
    }
  },
});

Deno.test({
  name: "native: deferAccept leaves a client that says nothing in the kernel",
  ignore,
  fn: async () => {
    await using setting = await openSetting(member, { options: { tcp: { deferAcceptMs: 30_000 } } });
    const { server } = await setting.addServer();
    const silent = await setting.connect();
    const speaking = await setting.connect();
    speaking.send("hello");
    const served = await server.next();
    await served.received(5);
    assert.equal(served.text, "hello");
    assert.equal(setting.engine.liveConnections(), 1);
    silent.send("me too");
    const second = await server.next();
    await second.received(6);
    assert.equal(setting.engine.liveConnections(), 2);
  },
});

Deno.test({
  name: "native: busyPoll is on both sockets, or said not to be in force",
  ignore,
  fn: async () => {
    using libc = Libc.open();
    await using setting = await openSetting(member, { options: { tcp: { busyPollMicroseconds: 50 } } });
    const refused = (setting.open.notInForce ?? []).some((it) => it.setting === "tcp.busyPoll");
    const { server } = await setting.addServer();
    const found = await look(setting, server, libc);
    assert.deepEqual(found.map((it) => it.busyPoll), refused ? [0, 0, 0] : [50, 50, 50]);
  },
});

Deno.test({
  name: "native: fastOpen is said not to be in force where the host's switch takes no bytes with a SYN",
  ignore,
  fn: async () => {
    await using setting = await openSetting(member, { options: { tcp: { fastOpenClients: 10 } } });
    const isOn = (Number(readSwitch("net.ipv4.tcp_fastopen")) & 2) !== 0;
    const told = (setting.open.notInForce ?? []).map((it) => it.setting);
    assert.deepEqual(told, isOn ? [] : ["tcp.fastOpen"]);
    const [{ reason = "" } = {}] = switchedOff({ fastOpenClients: 10 }, () => "1");
    assert.match(reason, /sysctl -w net\.ipv4\.tcp_fastopen=3$/);
  },
});
