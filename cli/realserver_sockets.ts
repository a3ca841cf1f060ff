/**
 * `lvsd realserver --receive` and `--tunnel`: the other end of a hand-over, and of tunnel sockets.
 *
 * @module
 */
import { SystemClock } from "../clock.ts";
import { EXIT, netRefusal, UsageError } from "../errors.ts";
import { type Endpoint, formatEndpoint, isNamed, parseEndpoint } from "../net/endpoint.ts";
import { Receiver } from "../realserver/receiver.ts";
import { TunnelPeer } from "../realserver/tunnel_peer.ts";
import { readKeyFile } from "../sys/key_file.ts";
import { Libc } from "../sys/libc.ts";
import { type CliContext, type ParsedArgs, textOption } from "./command.ts";
import { optionValue } from "./options.ts";
import { printable } from "./table.ts";

const TURN_MS = 1_000;

/** Serves handed sockets until a signal ends the process; what is relayed then is cut off. */
export function receive(path: string, args: ParsedArgs, { stdout }: CliContext): never {
  const to = serverOption(args);
  const clock = new SystemClock();
  using libc = Libc.open();
  using receiver = new Receiver(libc, path, to);
  stdout(`ready: sockets that come in by ${path} are served from ${textOption(args, "to")}\n`);
  // Nothing else happens in this process, so the thread may stand still; a signal ends it all the same.
  for (;;) receiver.turn(TURN_MS, clock.nowMs());
}

/** Serves tunnel sockets until a signal ends it. */
export async function serveTunnelSockets(
  address: string,
  args: ParsedArgs,
  { stdout, stderr }: CliContext,
): Promise<number> {
  const listen = optionValue("--tunnel", address, parseEndpoint);
  const keyFile = textOption(args, "key-file");
  if (isNamed(listen) || keyFile === undefined) {
    throw new UsageError(
      "BAD_OPTION",
      "realserver --tunnel ADDRESS:PORT needs --key-file FILE, the shared key",
      {},
    );
  }
  const options = { listen, to: serverOption(args), key: readKeyFile(keyFile), clock: new SystemClock() };
  const any = options.to.address.family === 4 ? "0.0.0.0:0" : "[::]:0";
  for (const host of [formatEndpoint(listen), formatEndpoint(options.to), any]) {
    const refused = netRefusal(host);
    if (refused !== undefined) throw refused;
  }
  await using peer = await TunnelPeer.open({
    ...options,
    refused: (it) => stderr(`lvsd: ${printable(it)}\n`),
  });
  const at = formatEndpoint({ ...listen, port: peer.port });
  stdout(`ready: tunnel sockets on ${at}, TCP and UDP, are served from ${textOption(args, "to")}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => resolve());
  });
  return EXIT.ok;
}

function serverOption(args: ParsedArgs): Endpoint {
  const text = textOption(args, "to");
  const to = text === undefined ? undefined : optionValue("--to", text, parseEndpoint);
  if (to !== undefined && !isNamed(to)) return to;
  throw new UsageError(
    "BAD_OPTION",
    "realserver needs --to ADDRESS:PORT, the server that it stands before",
    {},
  );
}
