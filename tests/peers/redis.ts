/** Redis without persistence. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

export function startRedis(): Promise<PeerProcess> {
  const command = requirePeer("redis-server");
  return PeerProcess.start((port, directory) => ({
    command,
    args: [
      "--port",
      `${port}`,
      "--bind",
      "127.0.0.1",
      "--dir",
      directory,
      "--save",
      "",
      "--appendonly",
      "no",
    ],
    ready: { line: /Ready to accept connections/ },
  }));
}
