/**
 * What an idle connection costs: memory between a thousand and several thousand of them.
 */
import { CONNECTIONS, processesOf, type Side } from "./side.ts";
import type { Measurement } from "./figure.ts";

const FEW = 1_000;
const MANY = CONNECTIONS - 500;
const AT_ONCE = 50;
const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");

/** Text of the load, for the report. */
export const IDLE_CLIENT = `one request on each of ${FEW} connections, then on ${MANY}; all stay open`;

/** Bytes for each connection. The processes must be fresh: what they took for an earlier crowd they keep. */
export async function measureIdle({ ports, pids }: Side, signal: AbortSignal): Promise<Measurement> {
  const held: Deno.TcpConn[] = [];
  try {
    const errorsOfFew = await hold(held, FEW, ports.http, signal);
    const few = residentBytes(pids);
    const errorsOfMany = await hold(held, MANY, ports.http, signal);
    const value = (residentBytes(pids) - few) / (MANY - FEW);
    return { value, errors: errorsOfFew + errorsOfMany };
  } finally {
    for (const it of held) it.close();
  }
}

/** @returns how many could not be had */
async function hold(
  held: Deno.TcpConn[],
  count: number,
  port: number,
  signal: AbortSignal,
): Promise<number> {
  let errors = 0;
  while (held.length + errors < count) {
    signal.throwIfAborted();
    const wanted = Math.min(AT_ONCE, count - held.length - errors);
    const opened = await Promise.all(Array.from({ length: wanted }, () => exchangeOnce(port)));
    for (const it of opened) {
      if (it === undefined) errors++;
      else held.push(it);
    }
  }
  return errors;
}

async function exchangeOnce(port: number): Promise<Deno.TcpConn | undefined> {
  try {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(REQUEST);
    if (await connection.read(new Uint8Array(1_024)) !== null) return connection;
    connection.close();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return undefined;
}

function residentBytes(pids: readonly number[]): number {
  const kilobytes = processesOf(pids).map((pid) =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1])
  );
  return kilobytes.reduce((sum, it) => sum + it, 0) * 1_024;
}
