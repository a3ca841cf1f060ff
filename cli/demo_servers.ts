/**
 * Three small real servers for the demo: HTTP over TCP, and an echo over UDP.
 *
 * @module
 */
import dgram from "node:dgram";
import { once } from "node:events";

/** A server on loopback, on a port the system chose. */
export interface DemoServer extends AsyncDisposable {
  readonly name: string;
  /** `127.0.0.1:41001` */
  readonly address: string;
}

/** Says who it is to every HTTP request. */
export function startWebServer(name: string): DemoServer {
  let ownPort = 0;
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request, info) => {
      const { hostname, port } = info.remoteAddr;
      const path = new URL(request.url).pathname;
      return new Response(
        `${name} at 127.0.0.1:${ownPort}: ${request.method} ${path} from ${hostname}:${port}\n`,
        {
          headers: { "x-real-server": name },
        },
      );
    },
  );
  ownPort = server.addr.port;
  return { name, address: `127.0.0.1:${ownPort}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Answers every datagram with its name and what it got. */
export async function startEchoServer(name: string): Promise<DemoServer> {
  const socket = dgram.createSocket("udp4");
  socket.on("message", (message, from) => {
    socket.send(`${name}: ${new TextDecoder().decode(message)}`, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    name,
    address: `127.0.0.1:${socket.address().port}`,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** The first free TCP or UDP port from `wished` upwards, on loopback. */
export async function freePortFrom(wished: number, protocol: "tcp" | "udp"): Promise<number> {
  for (let port = wished; port < wished + 100; port++) {
    if (protocol === "tcp" ? isTcpPortFree(port) : await isUdpPortFree(port)) return port;
  }
  return 0;
}

function isTcpPortFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

async function isUdpPortFree(port: number): Promise<boolean> {
  const socket = dgram.createSocket("udp4");
  try {
    socket.bind(port, "127.0.0.1");
    await once(socket, "listening");
    const closed = once(socket, "close");
    socket.close();
    // The port is free only when the socket is gone.
    await closed;
    return true;
  } catch {
    socket.close();
    return false;
  }
}
