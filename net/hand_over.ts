/**
 * What director and receiver say to each other about an accepted socket that is handed over: lines of text on a Unix
 * stream of its own. docs/hand-over.md describes it for those who write a receiver.
 *
 * @module
 */
import { type Endpoint, formatEndpoint, isNamed, parseEndpoint } from "./endpoint.ts";
import { ValueError } from "../errors.ts";

/** Version of the conversation; a receiver refuses others. */
export const HAND_OVER_VERSION = 1;
const GREETING = "lvsd-hand-over";

/** The original addresses of a handed connection. */
export interface HandedAddresses {
  readonly client: Endpoint;
  readonly virtual: Endpoint;
}

/** Why a receiver's connection ended. */
export type HandedEnd = "done" | "client-reset" | "server-reset";

/** A line of the receiver. */
export type ReceiverWord =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly reason: string }
  /** Payload bytes of the client so far. */
  | { readonly kind: "received"; readonly bytes: number }
  | { readonly kind: "ended"; readonly how: HandedEnd };

/**
 * Orders of the director. After `taken` it closes its own descriptor and says `go`; before that the receiver must not touch
 * the stream of bytes, so that another one can still be asked. `reset` breaks the connection off.
 */
export const ORDER = { go: "go\n", reset: "reset\n" } as const;

/** The line that comes with the descriptor. */
export function greeting({ client, virtual }: HandedAddresses): string {
  return `${GREETING} ${HAND_OVER_VERSION} ${formatEndpoint(client)} ${formatEndpoint(virtual)}\n`;
}

/**
 * Reads a greeting.
 *
 * @throws {ValueError} `GREETING_FOREIGN`, `GREETING_VERSION`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const read = readGreeting("lvsd-hand-over 1 10.0.0.7:40000 10.0.0.100:80\n");
 * assert.equal(greeting(read), "lvsd-hand-over 1 10.0.0.7:40000 10.0.0.100:80\n");
 * assert.throws(() => readGreeting("GET / HTTP/1.1\r\n"), /is no director/);
 * ```
 */
export function readGreeting(line: string): HandedAddresses {
  const [word, version, ...addresses] = line.trimEnd().split(" ");
  if (word !== GREETING) throw new ValueError("GREETING_FOREIGN", "who speaks here is no director of lvsd");
  if (version !== `${HAND_OVER_VERSION}`) {
    throw new ValueError("GREETING_VERSION", `version ${version} is spoken, ${HAND_OVER_VERSION} understood`);
  }
  const [client, virtual] = addresses.map((it) => parseEndpoint(it));
  if (client === undefined || virtual === undefined || isNamed(client) || isNamed(virtual)) {
    throw new ValueError("GREETING_FOREIGN", "a greeting has the client's address and the virtual one");
  }
  return { client, virtual };
}

/** A receiver's line. */
export function receiverLine(word: ReceiverWord): string {
  switch (word.kind) {
    case "taken":
      return "taken\n";
    case "refused":
      return `refused ${word.reason}\n`;
    case "received":
      return `received ${word.bytes}\n`;
    case "ended":
      return `ended ${word.how}\n`;
  }
}

/** Reads a receiver's line; undefined for one that is not understood. */
export function readReceiverLine(line: string): ReceiverWord | undefined {
  const [kind, value = ""] = line.split(" ");
  if (kind === "taken") return { kind };
  if (kind === "refused") return { kind, reason: value };
  if (kind === "received" && /^\d{1,16}$/.test(value)) return { kind, bytes: Number(value) };
  if (kind === "ended" && (value === "done" || value === "client-reset" || value === "server-reset")) {
    return { kind, how: value };
  }
  return undefined;
}
