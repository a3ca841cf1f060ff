/**
 * lvsd as a side, with either engine.
 */
import { fileURLToPath } from "node:url";
import { PeerProcess } from "../tests/peers/peer_process.ts";
import { BACKLOG, BUFFER_BYTES, type Ports, portsFrom, type StartedSide, type Target } from "./side.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** Worker threads, beside the main thread. @param adminPort where it tells its state; absent: nowhere */
export function startNative(servers: Ports, threads: number, adminPort?: number): Promise<StartedSide> {
  return startLvsd(servers, "native", threads, adminPort);
}

/** One thread, whatever was asked for: it has no others. */
export function startPortable(servers: Ports): Promise<StartedSide> {
  return startLvsd(servers, "portable", 1);
}

async function startLvsd(
  servers: Ports,
  engine: "native" | "portable",
  workers: number,
  adminPort?: number,
): Promise<StartedSide> {
  const settings = {
    log: { level: "error", connections: false },
    admin: { listen: adminPort === undefined ? "off" : `127.0.0.1:${adminPort}`, socket: "off" },
    workers,
  };
  let ports: Ports = servers;
  const service = (name: Target) => ({
    name,
    protocol: "tcp",
    listen: `127.0.0.1:${ports[name]}`,
    scheduler: "rr",
    healthCheck: "off",
    engine,
    destinations: [`127.0.0.1:${servers[name]}`],
  });
  const process = await PeerProcess.start(async (port, directory) => {
    ports = await portsFrom(port);
    const path = `${directory}/lvsd.yaml`;
    // JSON is YAML.
    const config = { ...settings, services: [service("http"), service("stream")] };
    await Deno.writeTextFile(path, JSON.stringify(config));
    return { command: Deno.execPath(), args: ["run", "-A", MAIN, "run", "-c", path], ready: "accepts" };
  });
  return {
    name: `lvsd-${engine}`,
    version: `lvsd, ${engine} engine, Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`,
    settings: [
      engine === "native" ? `worker threads: ${workers}, beside the main thread` : "one thread",
      JSON.stringify(settings),
      `scheduler rr, no health check, backlog ${BACKLOG}, at most ${BUFFER_BYTES} bytes held in each direction`,
    ],
    ports,
    pids: [process.pid],
    readyAfterMs: process.readyAfterMs,
    processes: [process],
  };
}
