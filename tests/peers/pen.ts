/** pen in the foreground: a TCP load balancer with one listener. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

/** @param connections that it may have at once */
export function startPen(serverPort: number, connections: number): Promise<PeerProcess> {
  const command = requirePeer("pen");
  return PeerProcess.start((port) => ({
    command,
    // -r: it keeps no table of clients; -x is bounded by its clients (-c) too.
    args: [
      ...["-f", "-r", "-x", `${connections}`, "-c", `${connections}`],
      ...[`127.0.0.1:${port}`, `127.0.0.1:${serverPort}`],
    ],
    ready: "accepts",
  }));
}
