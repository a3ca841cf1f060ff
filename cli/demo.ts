/**
 * `lvsd demo`: three small real servers with the director in front of them, nothing to configure.
 *
 * @module
 */
import { isSocketTaken } from "../admin/control_socket.ts";
import { controlSocketPlace, currentSurroundings } from "../admin/socket_path.ts";
import type { Status } from "../admin/source.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/model.ts";
import { type RunningProcess, runProcess } from "../daemon/process.ts";
import { EXIT, UsageError } from "../errors.ts";
import { type CliContext, type Command, type ParsedArgs, textOption } from "./command.ts";
import { type DemoServer, freePortFrom, startEchoServer, startWebServer } from "./demo_servers.ts";
import { alignColumns } from "./table.ts";
import { VERSION } from "./version.ts";

const USAGE = `lvsd demo - three small real servers and the director in front of them; no config, no root

Usage: lvsd demo [--traffic N] [--seconds N]

      --traffic N   also send N HTTP requests per second, so that there is something to see (default 0)
      --seconds N   end by itself (default: Ctrl-C ends it)
  -h, --help        this text

It prints the addresses to try, a line per real server with its state, and a line per second of who got how many
connections. Ports that are taken are replaced by the next free ones, a control socket that is taken by one of
its own.

Exit codes: 0 ended, 2 usage, 3 the system refuses.

Example:
  lvsd demo --traffic 20
`;

export const demo: Command = {
  usage: USAGE,
  options: { traffic: { type: "string" }, seconds: { type: "string" } },
  run: runDemo,
};

async function runDemo(args: ParsedArgs, context: CliContext): Promise<number> {
  const requestsPerSecond = numberOption(args, "traffic");
  const seconds = numberOption(args, "seconds");
  await using servers = new AsyncDisposableStack();
  const web = [1, 2, 3].map((i) => servers.use(startWebServer(`web-${i}`)));
  const echo: DemoServer[] = [];
  for (const i of [1, 2, 3]) echo.push(servers.use(await startEchoServer(`echo-${i}`)));
  const socket = await socketOfItsOwn(servers);
  const config = await demoConfig(web, echo, socket, context);
  await runProcess({
    config,
    load: () => Promise.resolve(config),
    version: VERSION,
    watch: false,
    setsUpNetwork: false,
    ready: (running) => {
      context.stdout(introduction(running, socket, seconds));
      const timers = [setInterval(liveLine(running, context), 1_000)];
      if (requestsPerSecond > 0) timers.push(setInterval(requestMaker(running), 1_000 / requestsPerSecond));
      if (seconds > 0) timers.push(setTimeout(() => Deno.kill(Deno.pid, "SIGTERM"), seconds * 1_000));
      servers.defer(() => timers.forEach((it) => clearInterval(it)));
    },
  });
  context.stdout("\nended\n");
  return EXIT.ok;
}

/** A path in a folder that `stack` removes, when another process holds the usual control socket. */
async function socketOfItsOwn(stack: AsyncDisposableStack): Promise<string | undefined> {
  const place = controlSocketPlace(currentSurroundings());
  if (place === undefined || !await isSocketTaken(place.path)) return undefined;
  const folder = await Deno.makeTempDir({ prefix: "lvsd-demo-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  return `${folder}/control.sock`;
}

async function demoConfig(
  web: readonly DemoServer[],
  echo: readonly DemoServer[],
  socket: string | undefined,
  context: CliContext,
): Promise<Config> {
  const tcpPort = await freePortFrom(8080, "tcp");
  const udpPort = await freePortFrom(5300, "udp");
  const adminPort = await freePortFrom(9180, "tcp");
  const list = (servers: readonly DemoServer[], weights: readonly number[]) =>
    servers.map((it, i) => `      - {name: ${it.name}, address: "${it.address}", weight: ${weights[i]}}`)
      .join("\n");
  const text = `
admin: {listen: "127.0.0.1:${adminPort}"${socket === undefined ? "" : `, socket: ${JSON.stringify(socket)}`}}
log: {level: warning, connections: false}
drain: {deadline: 1s, spread: 100ms}
services:
  - name: web
    listen: "127.0.0.1:${tcpPort}"
    scheduler: wlc
    healthCheck: {type: http, path: /, interval: 1s}
    destinations:
${list(web, [1, 1, 2])}
  - name: echo
    listen: "127.0.0.1:${udpPort}"
    protocol: udp
    scheduler: rr
    healthCheck: {type: udp, send: ping, expect: {regex: ping}, interval: 1s}
    destinations:
${list(echo, [1, 1, 1])}
`;
  return { ...loadConfig(text, "demo", context.env), file: "" };
}

function introduction(
  { daemon, adminUrl, controlSocket }: RunningProcess,
  ownSocket: string | undefined,
  seconds: number,
): string {
  const { services } = daemon.status();
  const addressOf = (name: string) => services.find((it) => it.name === name)?.listen ?? "";
  const [udpHost, udpPort] = addressOf("echo").split(":");
  const rows = services.flatMap((service) =>
    service.destinations.map((it) =>
      `  ${it.name.padEnd(7)} ${
        it.address.padEnd(16)
      } ${service.protocol}  weight ${it.configuredWeight}  ${it.state}`
    )
  );
  const daemonOption = ownSocket !== undefined
    ? ` --socket ${ownSocket}`
    : controlSocket === undefined
    ? ` --url ${adminUrl}`
    : "";
  const trials = [
    [`curl http://${addressOf("web")}`, "HTTP over TCP, scheduler wlc"],
    [`echo hello | nc -u -w1 ${udpHost} ${udpPort}`, "one line over UDP, scheduler rr"],
    [`curl ${adminUrl}/status`, "everything as JSON; also /metrics, /readyz"],
    [`./lvsd status${daemonOption}`, "the same as a table"],
  ].map((texts) => texts.map((text) => ({ text })));
  return `lvsd ${VERSION} demo: three real servers behind one director

Try:
${alignColumns(trials).map((it) => `  ${it}`).join("\n")}${
    ownSocket === undefined
      ? ""
      : "\n\nThe usual control socket is taken by another lvsd; this one has its own."
  }

Real servers:
${rows.join("\n")}

Connections so far, and in the last second (${seconds > 0 ? `${seconds} s, or ` : ""}Ctrl-C ends):
`;
}

/** A line per second of who got how many; on a terminal a quiet second rewrites the line instead of adding one. */
function liveLine({ daemon }: RunningProcess, context: CliContext): () => void {
  let before = connectionsOf(daemon.status());
  let open = false;
  return () => {
    const now = connectionsOf(daemon.status());
    const busy = [...now].some(([name, it]) => it.connections !== before.get(name)?.connections);
    const columns = [...now].map(([name, { connections, state }]) => {
      const gained = connections - (before.get(name)?.connections ?? 0);
      return `${name} ${connections}${gained > 0 ? ` (+${gained})` : ""}${state === "up" ? "" : ` ${state}`}`;
    });
    before = now;
    const time = new Date().toTimeString().slice(0, 8);
    const line = `${time}  ${columns.join("  ")}`;
    if (!context.isTerminal) return context.stdout(`${line}\n`);
    context.stdout(`${open && !busy ? "\r\x1b[K" : open ? "\n" : ""}${line}`);
    open = true;
  };
}

function connectionsOf(status: Status): Map<string, { connections: number; state: string }> {
  return new Map(
    status.services.flatMap((it) => it.destinations).map((it) => [
      it.name,
      { connections: it.counters.connections, state: it.state },
    ]),
  );
}

/** One HTTP request over a connection of its own, as `curl` makes it. */
function requestMaker({ daemon }: RunningProcess): () => void {
  const [host, port] = (daemon.status().services[0]?.listen ?? "").split(":");
  const request = new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n`);
  return () => void exchange(host ?? "", Number(port), request).catch(() => {});
}

async function exchange(hostname: string, port: number, request: Uint8Array): Promise<void> {
  using connection = await Deno.connect({ hostname, port });
  await connection.write(request);
  const buffer = new Uint8Array(4_096);
  while (await connection.read(buffer) !== null);
}

function numberOption(args: ParsedArgs, name: string): number {
  const text = textOption(args, name) ?? "0";
  const value = Number(text);
  if (!/^\d{1,6}$/.test(text)) {
    throw new UsageError("BAD_NUMBER", `demo: --${name} takes a whole number, not "${text}"`, {
      option: name,
      value: text,
    });
  }
  return value;
}
