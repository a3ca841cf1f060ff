/** HAProxy in the foreground. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

/** @param config the whole configuration, given the port to bind */
export function startHaproxy(config: (port: number) => string | Promise<string>): Promise<PeerProcess> {
  const command = requirePeer("haproxy");
  return PeerProcess.start(async (port, directory) => {
    const path = `${directory}/haproxy.cfg`;
    await Deno.writeTextFile(path, await config(port));
    return { command, args: ["-db", "-f", path], ready: "accepts" };
  });
}
