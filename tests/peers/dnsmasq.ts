/** dnsmasq as an authoritative answerer of a few names, over UDP and TCP on one port. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

/** @param addresses address of each name, e.g. `{"www.example.test": "192.0.2.1"}` */
export function startDnsmasq(addresses: Readonly<Record<string, string>>): Promise<PeerProcess> {
  const command = requirePeer("dnsmasq");
  const lines = Object.entries(addresses).map(([name, address]) => `${address} ${name}\n`);
  return PeerProcess.start(async (port, directory) => {
    const hosts = `${directory}/hosts`;
    await Deno.writeTextFile(hosts, lines.join(""));
    const args = [
      // Not --no-daemon: it answers TCP clients one after the other, and one that says nothing would hold up all.
      "--keep-in-foreground",
      "--log-facility=-",
      "--conf-file=/dev/null",
      "--no-resolv",
      "--no-hosts",
      `--addn-hosts=${hosts}`,
      `--pid-file=${directory}/dnsmasq.pid`,
      `--port=${port}`,
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      ...(Deno.uid() === 0 ? ["--user=root"] : []),
    ];
    // It says "started" first; the names are there when it has read their file.
    return { command, args, ready: { line: /read .*hosts - \d+ / } };
  });
}
