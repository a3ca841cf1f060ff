/**
 * Persistence engines: what else than the client's address keeps a client with its destination (`ipvsadm --pe`).
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import { type Flow, PROTOCOL } from "../net/flow.ts";
import { callId } from "./sip.ts";

/** Engines by the number that stands in a row of the store; 0 is none. */
const ENGINES = ["", "sip"] as const;
export type PersistenceEngineName = Exclude<typeof ENGINES[number], "">;

/** @throws {DirectorError} `ENOENT` when there is no such engine. */
export function engineNumber(name: string | undefined): number {
  if (name === undefined) return 0;
  const number = (ENGINES as readonly string[]).indexOf(name);
  if (number <= 0) {
    throw new DirectorError("ENOENT", `there is no persistence engine "${name}"; the only one is sip`, {
      engine: name,
    });
  }
  return number;
}

/** Name of an engine, undefined for none. */
export function engineName(number: number): PersistenceEngineName | undefined {
  return ENGINES[number] || undefined;
}

/** What an engine finds in the datagram; undefined when it cannot read it: the kernel drops such a packet. */
export function engineData(flow: Flow): Uint8Array | undefined {
  if (flow.protocol !== PROTOCOL.udp || flow.payload === undefined) return undefined;
  return callId(flow.payload.payload());
}
