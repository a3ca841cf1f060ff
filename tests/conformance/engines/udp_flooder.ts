/** A program that sends to a port as fast as it can, from many sockets. */
import { fileURLToPath } from "node:url";

interface FloodOrder {
  readonly port: number;
  readonly sockets: number;
  readonly bytes: number;
  readonly forMs: number;
}

/** Datagrams between two looks at the time. */
const BURST = 64;

async function flood({ port, sockets, bytes, forMs }: FloodOrder): Promise<number> {
  const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
  const datagram = crypto.getRandomValues(new Uint8Array(bytes));
  const open = Array.from(
    { length: sockets },
    () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }),
  );
  const endMs = performance.now() + forMs;
  let sent = 0;
  while (performance.now() < endMs) {
    for (let i = 0; i < BURST; i++) await open[sent++ % sockets]?.send(datagram, to);
  }
  for (const socket of open) socket.close();
  return sent;
}

if (import.meta.main) {
  const sent = await flood(JSON.parse(Deno.args[0] ?? ""));
  await Deno.stdout.write(new TextEncoder().encode(`${sent}`));
}

/** Floods from another process, whose memory is its own; resolves with the number of datagrams sent. */
export async function floodFromOutside(order: FloodOrder): Promise<number> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--unstable-net",
      fileURLToPath(import.meta.url),
      JSON.stringify(order),
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}
