/** iperf3 as a server, for one client at a time. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

export function startIperf3(): Promise<PeerProcess> {
  const command = requirePeer("iperf3");
  return PeerProcess.start((port) => ({
    command,
    args: ["--server", "--bind", "127.0.0.1", "--port", `${port}`, "--forceflush"],
    // A connection without a word would count as a broken client, so it is not asked by connecting.
    ready: { line: /Server listening on/ },
  }));
}
