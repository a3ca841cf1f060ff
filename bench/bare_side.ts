/**
 * A loop in C that only passes bytes on: how much of a figure any program with two sockets a connection could reach.
 */
import { fileURLToPath } from "node:url";
import { SystemError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { PeerProcess } from "../tests/peers/peer_process.ts";
import { requirePeer } from "../tests/peers/required_peers.ts";
import { BACKLOG, BUFFER_BYTES, type Ports, portsFrom, type StartedSide, version } from "./side.ts";

const SOURCE = fileURLToPath(new URL("bare_loop.c", import.meta.url));
const FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"] as const;

/** Copies between clients and `http`, splices between them and `stream`: what is best for each. */
export async function startBare(servers: Ports, threads: number): Promise<StartedSide> {
  let ports = servers;
  const process = await PeerProcess.start(async (port, directory) => {
    ports = await portsFrom(port);
    const command = `${directory}/bare_loop`;
    await compile(command);
    const args = [
      `${threads}`,
      ...["copy", `${ports.http}`, `${servers.http}`],
      ...["splice", `${ports.stream}`, `${servers.stream}`],
    ];
    return { command, args, ready: "accepts" };
  });
  return {
    name: "bare",
    version: `bench/bare_loop.c, ${await version("cc", "--version")}`,
    settings: [
      `${threads} thread(s), cc ${FLAGS.join(" ")}`,
      `no schedule, state, counters, timeouts; backlog ${BACKLOG}; copies by ${BUFFER_BYTES} bytes, ` +
      `streams through pipes of ${LIMITS.pipeBytes}`,
    ],
    ports,
    pids: [process.pid],
    readyAfterMs: process.readyAfterMs,
    processes: [process],
  };
}

async function compile(output: string): Promise<void> {
  const compiler = requirePeer("cc");
  const command = new Deno.Command(compiler, { args: [...FLAGS, "-o", output, SOURCE] });
  const { success, stderr } = await command.output();
  if (success) return;
  const said = new TextDecoder().decode(stderr);
  throw new SystemError(
    "PEER_MISSING",
    `${compiler} cannot compile ${SOURCE}; its headers come with apt-get install gcc libc6-dev. It says:\n${said}`,
    { name: "cc" },
  );
}
