/**
 * `lvsd realserver --receive`: the other end of a hand-over.
 *
 * @module
 */
import { SystemClock } from "../clock.ts";
import { UsageError } from "../errors.ts";
import { type Endpoint, isNamed, parseEndpoint } from "../net/endpoint.ts";
import { Receiver } from "../realserver/receiver.ts";
import { Libc } from "../sys/libc.ts";
import { type CliContext, type ParsedArgs, textOption } from "./command.ts";

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

function serverOption(args: ParsedArgs): Endpoint {
  const text = textOption(args, "to");
  const to = text === undefined ? undefined : parseEndpoint(text);
  if (to !== undefined && !isNamed(to)) return to;
  throw new UsageError(
    "BAD_OPTION",
    "realserver needs --to ADDRESS:PORT, the server that it stands before",
    {},
  );
}
