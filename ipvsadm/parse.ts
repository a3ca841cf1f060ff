/**
 * From words to a command that can be run, or to the tool's own words of what is wrong with it.
 *
 * @module
 */
import { PROTOCOL } from "../net/flow.ts";
import { checkCommandOptions, checkTunnelOptions } from "./checks.ts";
import { DEFAULT_SCHEDULER, Draft } from "./draft.ts";
import { readFlags } from "./flags.ts";
import { NEED_TUNNEL, type OptionName, WORDS } from "./grammar.ts";
import type { Names } from "./names.ts";
import { OptionReader, type ReadOption } from "./option_reader.ts";
import { readTimeout, takeOption } from "./option_values.ts";
import { fail, tryHelp } from "./refusal.ts";
import { ToolError } from "../errors.ts";

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: "help" | "version" }
  | { readonly kind: "command"; readonly draft: Draft };

const DEFAULT_INTERFACE = "eth0";
const NONE: ReadonlySet<OptionName> = new Set();

/**
 * Reads and checks one command line.
 *
 * @param words without the program's name; none at all is a listing
 * @throws {ToolError} in the tool's order: the first mistake from left to right, then the matrix, then what does not
 * go together
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { NO_NAMES } from "./names.ts";
 *
 * const parsed = await parseCommand(["-a", "-t", "10.0.0.1:80", "-r", "10.0.0.2:8080"], NO_NAMES);
 * assert.ok(parsed.kind === "command");
 * assert.equal(parsed.draft.destination.port, 80, "-g is the default and keeps the service's port");
 * await assert.rejects(parseCommand(["-A"], NO_NAMES), {
 *   message: "You need to supply the 'service-address' option for the 'add-service' command",
 * });
 * ```
 */
export async function parseCommand(words: readonly string[], names: Names): Promise<Parsed> {
  if (words.length === 0) return { kind: "command", draft: new Draft("list") };
  const reader = new OptionReader(words, WORDS);
  const first = readFirst(reader);
  const { command } = first.word;
  if (command === undefined) throw tryHelp();
  if (command === "help" || command === "version") return { kind: command };
  const draft = new Draft(command);
  if (command === "start-daemon") setSyncState(draft, first, "illegal start-daemon parameter specified");
  // The tool's own spelling.
  if (command === "stop-daemon") setSyncState(draft, first, "illegal start_daemon specified");
  for (let read = reader.next(); read !== undefined; read = reader.next()) {
    if (read.word.command !== undefined) throw fail(`invalid option \`${reader.lastWord}'`);
    await takeOption(draft, read.word, read.argument, names);
  }
  takeLeftovers(draft, reader.leftovers);
  draft.flags = readFlags(draft.flagText, draft.scheduler);
  check(draft);
  return { kind: "command", draft };
}

/** A first word that cannot be read is no command. */
function readFirst(reader: OptionReader): ReadOption {
  try {
    const first = reader.next();
    if (first !== undefined) return first;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
  }
  throw tryHelp();
}

function setSyncState(draft: Draft, { argument }: ReadOption, message: string): void {
  if (argument !== "master" && argument !== "backup") throw fail(message);
  draft.syncState = argument;
}

function takeLeftovers(draft: Draft, leftovers: readonly string[]): void {
  let rest = leftovers;
  if (draft.command === "set") {
    const [tcp, tcpFin, udp, ...more] = leftovers;
    if (tcp === undefined || tcpFin === undefined || udp === undefined) {
      throw fail("--set option requires 3 timeout values");
    }
    draft.timeouts = {
      tcpSeconds: readTimeout(tcp, 0),
      tcpFinSeconds: readTimeout(tcpFin, 0),
      udpSeconds: readTimeout(udp, 0),
    };
    rest = more;
  }
  const [unexpected] = rest;
  if (unexpected !== undefined) throw fail(`unexpected argument ${unexpected}`);
}

function check(draft: Draft): void {
  const { command, given } = draft;
  checkCommandOptions(command, given);
  if (command === "add-service" || command === "edit-service") checkService(draft);
  if (command === "add-server" || command === "edit-server") checkServer(draft);
  if (command === "start-daemon" && draft.interfaceName === "") draft.interfaceName = DEFAULT_INTERFACE;
  if (command === "list") checkList(given);
}

function checkService(draft: Draft): void {
  if (draft.mark === 0 && draft.port === 0 && draft.persistentSeconds === undefined) {
    throw fail("Zero port specified for non-persistent service");
  }
  if (draft.onePacket && draft.mark === 0 && draft.protocol !== PROTOCOL.udp) {
    throw fail("One-Packet Scheduling is only for UDP virtual services");
  }
  if (draft.scheduler === "") draft.scheduler = DEFAULT_SCHEDULER;
}

function checkServer(draft: Draft): void {
  const { server, method, given } = draft;
  if (server === undefined) return;
  // Nobody translates ports for -g and -i: the real server sees the client's packet.
  if (draft.mark === 0 && method !== "nat") server.port = draft.port;
  if (server.address.family !== draft.family && method !== "tun") {
    throw fail("Different address family is allowed only for tunneling servers");
  }
  if (method !== "tun" && NEED_TUNNEL.some((option) => given.has(option))) {
    throw fail("Tunnel options conflict with forward method");
  }
  checkTunnelOptions(draft.tunnelType, method === "tun" ? given : NONE);
}

function checkList(given: ReadonlySet<OptionName>): void {
  const any = (...options: OptionName[]) => options.some((option) => given.has(option));
  if (
    (any("connection", "timeout", "daemon") && any("stats", "rate", "thresholds")) ||
    (any("timeout", "daemon") && any("persistent-conn"))
  ) throw fail("options conflicts in the list command");
}
