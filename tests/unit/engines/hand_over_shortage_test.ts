/** Out of file descriptors between the accept and the way to the receiver: not the receiver's fault. */
import assert from "node:assert/strict";
import { HandOverEngine } from "../../../engines/hand_over/hand_over.ts";
import { addressOf, Libc } from "../../../sys/libc.ts";
import { ERRNO } from "../../../sys/errno.ts";
import { socketAddress } from "../../../sys/socket_address.ts";
import { SOCKET } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";
import { peerTest, requirePeer } from "../../peers/required_peers.ts";
import { openSetting, type TcpFamilyMember } from "../../conformance/engines/tcp_setting.ts";

const member: TcpFamilyMember = {
  name: "hand-over",
  makeEngine: (parts) => new HandOverEngine(parts),
  module: import.meta.url,
};
const DESCRIPTORS = 256;

/** Lowers or restores how many descriptors this process may have. */
async function limitDescriptors(soft: string): Promise<void> {
  const args = ["--pid", `${Deno.pid}`, `--nofile=${soft}:`];
  const { success, stderr } = await new Deno.Command(requirePeer("prlimit"), { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** Takes all descriptors that are left. */
function takeAll(): Deno.FsFile[] {
  const files: Deno.FsFile[] = [];
  for (;;) {
    try {
      files.push(Deno.openSync("/dev/null"));
    } catch {
      return files;
    }
  }
}

peerTest("hand-over: without a descriptor for the way to the receiver, passive health hears nothing", [
  "prlimit",
], async () => {
  await using setting = await openSetting(member, {
    options: { handOver: new Map([["127.0.0.1:1", "/nobody/listens"]]) },
  });
  setting.addDestination("127.0.0.1", 1);
  using libc = Libc.open();
  const sockets = new Sockets(libc);
  const client = sockets.open(4, SOCKET.stream);
  const name = socketAddress({ address: setting.open.bound.address, port: setting.to.port });
  const limits = await new Deno.Command("sh", { args: ["-c", "ulimit -Sn"] }).output();
  await limitDescriptors(`${DESCRIPTORS}`);
  const files = takeAll();
  // For the accept.
  files.pop()?.close();
  try {
    assert.equal(libc.connect(client, addressOf(name), name.length), -ERRNO.EINPROGRESS);
    await setting.events.until("it is over", () => setting.events.endings.length > 0);
  } finally {
    for (const it of files) it.close();
    await limitDescriptors(new TextDecoder().decode(limits.stdout).trim());
    sockets.close(client);
  }
  assert.deepEqual(setting.events.endings.map((it) => it.reason), ["error"]);
  assert.deepEqual(setting.events.failures, []);
  assert.match(setting.events.troubles[0] ?? "", /descriptor/);
});
