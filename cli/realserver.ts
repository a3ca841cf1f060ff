/**
 * `lvsd realserver`: makes this host the other end for DR or TUN.
 *
 * @module
 */
import { EXIT, SystemError, UsageError } from "../errors.ts";
import { type HostMemory, RealServerHost } from "../realserver/host.ts";
import { addressCommands, parseVirtualAddress, type RealServerPlan } from "../realserver/setup.ts";
import { TunnelEnd } from "../realserver/tunnel_end.ts";
import { type Command, type ParsedArgs, textOption } from "./command.ts";
import { optionValue, wholeNumberOption } from "./options.ts";
import { receive, serveTunnelSockets } from "./realserver_sockets.ts";
import { counted } from "./table.ts";

const DEFAULT_GUE_PORT = 6_080;
const NO_MEMORY: HostMemory = { switches: [] };

export const realserver: Command = {
  usage: `lvsd realserver - the other end: a real server for DR or TUN

Usage: lvsd realserver dr|tun --vip ADDRESS[,ADDRESS...] [--interface NAME] [--dry-run | --check | --undo]
       lvsd realserver --receive PATH --to ADDRESS
       lvsd realserver --tunnel ADDRESS --key-file FILE --to ADDRESS

dr puts the virtual addresses on lo and keeps neighbours from learning of it, then ends. tun does the same,
and takes ipip, gre and gue packets apart through a TUN device of its own, for kernels without tunnel drivers;
it runs until Ctrl-C and undoes what it did. Packets inside the tunnel for other addresses are dropped.

--receive is for a director on the same host, by sockets: it takes the accepted sockets of a destination with
handOver: PATH and serves them from ADDRESS, so that answers bypass the director. Ctrl-C ends it.

--tunnel is for a director anywhere: it serves streams and datagrams that come through tunnel sockets of
destinations with tunnelTo, on any system and without root. Who does not have the key is refused.

      --vip ADDRESSES     virtual addresses, with commas between
      --interface NAME    the interface that faces the director (default eth0)
      --gue-port PORT     UDP port on which gue packets arrive (default ${DEFAULT_GUE_PORT})
      --dry-run           print the commands and change nothing
      --check             tell what is wrong and change nothing
      --undo              take the addresses away (dr); switches that others may need stay as they are
      --receive PATH      Unix socket by which accepted sockets come (Linux, --allow-ffi)
      --tunnel ADDRESS    listen here for tunnel sockets, TCP and UDP
      --key-file FILE     the shared key, mode 0600, 16 bytes or more
      --to ADDRESS        the server here that it stands before
      --json              with --check: the problems as JSON
  -h, --help              this text

Exit codes: 0 done or nothing wrong, 1 something is wrong (--check), 2 usage, 3 not permitted.

Example:
  lvsd realserver dr --vip 10.1.0.100 --check
`,
  options: {
    vip: { type: "string" },
    interface: { type: "string" },
    "gue-port": { type: "string" },
    "dry-run": { type: "boolean" },
    check: { type: "boolean" },
    undo: { type: "boolean" },
    receive: { type: "string" },
    tunnel: { type: "string" },
    "key-file": { type: "string" },
    to: { type: "string" },
    json: { type: "boolean" },
  },
  positionals: { least: 0, most: 1 },

  async run(args, context) {
    const path = textOption(args, "receive");
    if (path !== undefined) return receive(path, args, context);
    const tunnel = textOption(args, "tunnel");
    if (tunnel !== undefined) return await serveTunnelSockets(tunnel, args, context);
    const plan = readPlan(args);
    refuseTogether(args, ["dry-run", "check", "undo"]);
    const host = new RealServerHost(runProgram);
    if (args.values["dry-run"] === true) {
      for (const words of host.commands(plan)) context.stdout(`${words.join(" ")}\n`);
      return EXIT.ok;
    }
    if (args.values["check"] === true) {
      const problems = await host.problems(plan);
      if (args.values["json"] === true) context.stdout(`${JSON.stringify({ problems })}\n`);
      else for (const problem of problems) context.stdout(`${problem}\n`);
      return problems.length === 0 ? EXIT.ok : EXIT.failed;
    }
    if (args.values["undo"] === true) {
      await host.undo(plan, NO_MEMORY);
      for (const words of addressCommands(plan, "del")) context.stdout(`${words.join(" ")}\n`);
      return EXIT.ok;
    }
    if (plan.mode === "dr") {
      await host.setUp(plan);
      context.stdout(`ready for DR: ${plan.virtualAddresses.join(", ")}; undo it with --undo\n`);
      return EXIT.ok;
    }
    return await serveTunnel(host, plan, guePort(args), context.stdout);
  },
};

async function serveTunnel(
  host: RealServerHost,
  plan: RealServerPlan,
  port: number,
  print: (text: string) => void,
): Promise<number> {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => resolve());
  });
  const tunnel = await TunnelEnd.start(plan.virtualAddresses, port);
  try {
    const memory = await host.setUp(plan);
    print(`ready for TUN: ${plan.virtualAddresses.join(", ")}; gue on UDP port ${port}\n`);
    try {
      await stopped;
    } finally {
      await host.undo(plan, memory);
    }
  } finally {
    await tunnel.stop();
  }
  const { packets, foreign, malformed } = tunnel.counts;
  print(
    `${counted(packets, "packet")} taken apart, ${foreign} for other addresses, ${malformed} malformed\n`,
  );
  return EXIT.ok;
}

function readPlan(args: ParsedArgs): RealServerPlan {
  const [mode] = args.positionals;
  if (mode !== "dr" && mode !== "tun") {
    throw new UsageError(
      "BAD_ARGUMENTS",
      mode === undefined
        ? "realserver needs dr, tun, --receive PATH or --tunnel ADDRESS"
        : `realserver is for dr or tun, not "${mode}"; NAT needs only a route`,
    );
  }
  const vip = textOption(args, "vip");
  if (vip === undefined) {
    throw new UsageError("BAD_OPTION", "realserver needs --vip ADDRESS[,ADDRESS...], the virtual addresses");
  }
  const virtualAddresses = optionValue(
    "--vip",
    vip,
    (text) => text.split(",").map(parseVirtualAddress),
  );
  return { mode, virtualAddresses, interface: textOption(args, "interface") ?? "eth0" };
}

function refuseTogether(args: ParsedArgs, names: readonly string[]): void {
  const given = names.filter((it) => args.values[it] === true).map((it) => `--${it}`);
  if (given.length < 2) return;
  throw new UsageError("OPTIONS_EXCLUDE", `${given.join(" and ")} exclude each other`, {});
}

function guePort(args: ParsedArgs): number {
  const text = textOption(args, "gue-port") ?? String(DEFAULT_GUE_PORT);
  return wholeNumberOption("--gue-port", text, 1, 65_535);
}

async function runProgram(
  words: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [program = "", ...args] = words;
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new SystemError(
      "COMMAND_MISSING",
      `${program} is not installed; a real server is set up with iproute2 and procps`,
      { value: program },
    );
  }
}
