/** PostgreSQL with a new cluster; the superuser is `postgres` and needs no password. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

export function startPostgres(): Promise<PeerProcess> {
  const initdb = requirePeer("initdb");
  const postgres = requirePeer("postgres");
  return PeerProcess.start(async (port, directory) => {
    if (Deno.uid() === 0) await run(["chown", "postgres:", directory]);
    const data = `${directory}/data`;
    await run(unprivileged([initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]));
    const settings = {
      listen_addresses: "127.0.0.1",
      port,
      unix_socket_directories: directory,
      fsync: "off",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const [command = postgres, ...args] = unprivileged([postgres, "-D", data, ...options]);
    return { command, args, ready: { line: /database system is ready to accept connections/ } };
  });
}

/** PostgreSQL refuses to run as root; its package makes a user for it. */
function unprivileged(command: readonly string[]): string[] {
  if (Deno.uid() !== 0) return [...command];
  const setpriv = requirePeer("setpriv");
  return [setpriv, "--reuid=postgres", "--regid=postgres", "--init-groups", ...command];
}

async function run([command = "", ...args]: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, cwd: "/" }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
