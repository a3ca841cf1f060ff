/**
 * Ports for programs that cannot be told "any port".
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";

// Below 32,768 where Linux takes the ports of outgoing connections from (net.ipv4.ip_local_port_range): between the
// look and the peer's bind no client of another test can get the same one.
const LOWEST = 10_000;
const HIGHEST = 32_000;
const TRIES = 200;

/** A port of 127.0.0.1 that nobody uses at this moment, for TCP and for UDP. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (isTcpFree(port) && await isUdpFree(port)) return port;
  }
  throw new Error(`no free port found in ${TRIES} tries between ${LOWEST} and ${HIGHEST}`);
}

function isTcpFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

async function isUdpFree(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  try {
    socket.bind(port, "127.0.0.1");
    await once(socket, "listening");
    return true;
  } catch {
    return false;
  } finally {
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  }
}
