/** Behind a real DNS server. */
import assert from "node:assert/strict";
import { startDnsmasq } from "../../peers/dnsmasq.ts";
import { freePort } from "../../peers/free_port.ts";
import { peerTest, requirePeer } from "../../peers/required_peers.ts";
import { openSetting, type UdpFamilyMember } from "./udp_setting.ts";

const QUERIES = 200;
const NAME = "www.example.test";
const ADDRESS = "192.0.2.80";

export function dnsTests(member: UdpFamilyMember): void {
  for (const [what, onePacket] of [["", false], [" in one-packet mode", true]] as const) {
    const name = `udp ${member.name}: dnsmasq answers ${QUERIES} queries of dig${what}, none is lost`;
    peerTest(name, ["dnsmasq", "dig"], async () => {
      await using dnsmasq = await startDnsmasq({ [NAME]: ADDRESS });
      // Not a port that outgoing sockets are given: dig sets SO_REUSEPORT as the listeners of several workers do. Of the same
      // user it may get their port, one query in 28,000; it is connected to itself then, and takes its question for the answer.
      const listen = `127.0.0.1:${await freePort()}`;
      await using setting = await openSetting(member, { listen, options: { onePacket } });
      setting.traffic.addDestination("127.0.0.1", dnsmasq.port);
      const answers = await dig(setting.to, Array.from({ length: QUERIES }, () => NAME));
      assert.deepEqual(answers, Array.from({ length: QUERIES }, () => ADDRESS));
      assert.deepEqual(setting.events.drops, []);
      assert.equal(setting.traffic.counts.inPackets, QUERIES, "dig asked nothing twice");
    });
  }
}

/** One dig, one query after the other, each once. */
async function dig(to: { hostname: string; port: number }, names: readonly string[]): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(requirePeer("dig"), {
    args: [
      `@${to.hostname}`,
      ...["-p", `${to.port}`, "+notcp", "+tries=1", "+time=5", "+short"],
      ...names.flatMap((name) => [name, "A"]),
    ],
  }).output();
  const text = new TextDecoder();
  assert.ok(success, text.decode(stderr) + text.decode(stdout));
  return text.decode(stdout).trim().split("\n");
}
