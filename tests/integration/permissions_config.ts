/** One config with everything, for the test of permissions. */
import { freePort } from "../peers/free_port.ts";
import { startEcho } from "./echo_servers.ts";

/** Sends back what it gets. */
function udpEcho(stack: AsyncDisposableStack, hostname: string): string {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const echoing = (async () => {
    for await (const [bytes, from] of socket) await socket.send(bytes, from);
  })();
  stack.defer(async () => {
    socket.close();
    await echoing;
  });
  const { port } = socket.addr as Deno.NetAddr;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** A datagram of a new client; nothing tells when the one just started listens, so it may be lost. */
export async function askOnce(port: number): Promise<void> {
  const client = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    await client.send(new Uint8Array([1]), { transport: "udp", hostname: "127.0.0.1", port });
  } catch {
    // Refused: nobody listens yet.
  } finally {
    client.close();
  }
}

/** A config that uses every feature of a daemon, before real servers that answer. */
export interface Everything {
  /** The TCP server. */
  readonly echo: string;
  /** Ports. */
  readonly web: number;
  readonly dns: number;
  readonly admin: number;
  readonly keyFile: string;
  /** With `STATE` in place of the health that destinations begin with. */
  readonly text: string;
}

/** Its files are in folders of their own, so that each can be left out. */
export async function everything(
  stack: AsyncDisposableStack,
  folder: string,
): Promise<Everything> {
  const echo = stack.use(await startEcho());
  const servers = [udpEcho(stack, "127.0.0.1"), udpEcho(stack, "::1")];
  const [web = 0, dns = 0, admin = 0, given = 0, tunnel = 0] = await Promise.all(
    [1, 2, 3, 4, 5].map(() => freePort()),
  );
  const keyFile = `${folder}/keys/tunnel`;
  for (const it of ["config", "state", "keys"]) await Deno.mkdir(`${folder}/${it}`);
  await Deno.writeTextFile(keyFile, "0123456789abcdef", { mode: 0o600 });
  const check = { initialState: "STATE", interval: "100ms" };
  const exec = { type: "exec", command: ["/bin/true"], ...check };
  const unchecked = { healthCheck: "off", passive: "off" };
  const text = JSON.stringify({
    admin: { listen: `127.0.0.1:${admin}`, socket: `${folder}/run/control.sock` },
    services: [{
      name: "web",
      listen: `127.0.0.1:${web}`,
      healthCheck: { type: "tcp", ...check },
      destinations: [
        { name: "dialled", address: echo.address },
        { name: "asked", address: "127.0.0.2:9", healthCheck: exec },
      ],
    }, {
      name: "dns",
      listen: `127.0.0.1:${dns}`,
      protocol: "udp",
      // The other engines' sockets are not Deno's, and ask for less.
      engine: "portable",
      healthCheck: { type: "udp", send: "${LVSD_TEST_WORD}", expect: "ping", ...check },
      destinations: servers.map((address, i) => ({ name: `datagrams-${i}`, address })),
    }, {
      name: "given",
      listen: `127.0.0.1:${given}`,
      mode: "dr",
      ...unchecked,
      destinations: [{ address: "127.0.0.2", handOver: `${folder}/keys/receiver` }],
    }, {
      name: "wrapped",
      listen: `127.0.0.1:${tunnel}`,
      mode: "tun",
      ...unchecked,
      destinations: [{ address: "127.0.0.3", tunnelTo: { port: 7_100, keyFile } }],
    }],
  });
  return { echo: echo.address, web, dns, admin, keyFile, text };
}
