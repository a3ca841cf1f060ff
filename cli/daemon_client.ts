/**
 * The options by which a command names its daemon, and the client made from them.
 *
 * @module
 */
import type { ParseArgsOptionsConfig } from "node:util";
import { adminUrl, ControlClient } from "../admin/client.ts";
import { controlSocketPlace, type SocketSurroundings } from "../admin/socket_path.ts";
import type { Clock } from "../clock.ts";
import { SystemError, UsageError } from "../errors.ts";
import { type CliContext, type ParsedArgs, textOption } from "./command.ts";
import { optionValue } from "./options.ts";

/** `--socket` and `--url`. */
export const DAEMON_OPTIONS: ParseArgsOptionsConfig = {
  socket: { type: "string" },
  url: { type: "string" },
};

/** Help text of {@linkcode DAEMON_OPTIONS} and of `--help`; what they mean begins in `column`. */
export function daemonOptionsUsage(column: number): string {
  const rows = [
    ["      --socket PATH", "control socket of the daemon; default $LVSD_SOCKET, /run/lvsd/control.sock"],
    ["", "as root, else $XDG_RUNTIME_DIR/lvsd/control.sock"],
    ["      --url URL", "ask over HTTP instead, e.g. http://127.0.0.1:9180; the token comes from"],
    ["", "$LVSD_TOKEN"],
    ["  -h, --help", "this text"],
  ] as const;
  return rows.map(([option, meaning]) => `${option.padEnd(column)}${meaning}\n`).join("");
}

/**
 * @throws {UsageError} `OPTIONS_EXCLUDE` when both options are given, `OPTION_INVALID` for what is no URL
 * @throws {SystemError} `SOCKET_UNSUPPORTED` where there are no Unix sockets and no `--url` was given
 */
export function daemonClient(
  args: ParsedArgs,
  context: CliContext,
  clock: Clock,
  surroundings: SocketSurroundings,
): ControlClient {
  const url = textOption(args, "url");
  const socket = textOption(args, "socket");
  if (url !== undefined && socket !== undefined) {
    throw new UsageError(
      "OPTIONS_EXCLUDE",
      "--socket and --url exclude each other: both name the daemon",
      {},
    );
  }
  if (url !== undefined) {
    // Not an option of its own: everybody on the host can read a command line.
    const token = context.env("LVSD_TOKEN");
    optionValue("--url", url, (text) => adminUrl(text, "/"));
    return new ControlClient(token === undefined || token === "" ? { url } : { url, token }, { clock });
  }
  const place = socket === undefined
    ? controlSocketPlace({ ...surroundings, variable: context.env })?.path
    : socket;
  if (place === undefined) {
    throw new SystemError(
      "SOCKET_UNSUPPORTED",
      `${surroundings.os} has no control socket; name the admin address with --url http://127.0.0.1:9180`,
      { os: surroundings.os },
    );
  }
  return new ControlClient({ socketPath: place }, { clock });
}
