/**
 * Sends datagrams back to where they came from: `udp_echo.ts PORT ADDRESS...`; says "ready" when it listens.
 *
 * @module
 */
const [port = "", ...addresses] = Deno.args;
for (const hostname of addresses) {
  void echo(Deno.listenDatagram({ transport: "udp", hostname, port: Number(port) }));
}
Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));

async function echo(socket: Deno.DatagramConn): Promise<void> {
  for await (const [bytes, sender] of socket) await socket.send(bytes, sender);
}
