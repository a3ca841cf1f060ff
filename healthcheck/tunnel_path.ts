/**
 * A check that goes the way of clients, through a tunnel socket, so that a dead path and a dead service are told apart.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { SystemError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import {
  ANSWER_BYTES,
  encodeDatagram,
  encodeRequest,
  foreignness,
  HELLO_BYTES,
  NONCE_BYTES,
  nonceOf,
  readAnswer,
  readDatagram,
  TUNNEL_WAY,
  type TunnelAddresses,
} from "../net/socket_tunnel.ts";
import { readKeyFile } from "../sys/key_file.ts";
import {
  type Check,
  type CheckDatagrams,
  CheckError,
  type CheckFailure,
  type CheckResult,
  type CheckStream,
  type Dialer,
} from "./check.ts";

/** Where the tunnel leads at the server's address. */
export interface TunnelPath {
  readonly port: number;
  readonly keyFile: string;
}

/** Nothing of these is the path's fault. */
const OWN_FAULTS: ReadonlySet<CheckFailure> = new Set(["resources", "permission", "defect"]);

/**
 * Runs another check through the tunnel. It fails with `path` when the peer is not reached, foreign, or of another key, and
 * with the reason of the check itself when the server behind it does not answer. TLS goes past the tunnel, and programs run
 * as they are.
 */
export class TunnelPathCheck implements Check {
  readonly type: string;
  readonly #check: Check;
  readonly #path: TunnelPath;
  readonly #virtual: Endpoint;

  constructor(check: Check, path: TunnelPath, virtual: Endpoint) {
    this.type = check.type;
    this.#check = check;
    this.#path = path;
    this.#virtual = virtual;
  }

  run(target: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckResult> {
    const peer = { address: target.address, port: this.#path.port };
    // Nobody's address: the peer may tell checks from clients by it.
    const client = { address: new IpAddress(this.#virtual.address.family, new Uint32Array(4)), port: 0 };
    const addresses = { client, virtual: this.#virtual };
    const open = async <Opened>(through: (key: Uint8Array) => Promise<Opened>): Promise<Opened> => {
      try {
        return await through(readKeyFile(this.#path.keyFile));
      } catch (error) {
        throw pathError(error);
      }
    };
    return this.#check.run(target, {
      connectTcp: (_, abort) => open((key) => openStream(dialer, peer, key, addresses, abort)),
      connectUdp: (_, abort) => open((key) => openDatagrams(dialer, peer, key, addresses, abort)),
      connectTls: (at, options, abort) => dialer.connectTls(at, options, abort),
      run: (command, env, abort) => dialer.run(command, env, abort),
    }, signal);
  }
}

/** The server's own refusal stays one. */
class ServerRefused extends CheckError {}

function pathError(error: unknown): unknown {
  if (error instanceof ServerRefused) return error;
  if (error instanceof SystemError) return new CheckError("path", error.message, error);
  if (!(error instanceof CheckError) || OWN_FAULTS.has(error.reason)) return error;
  return new CheckError("path", `tunnel: ${error.reason}: ${error.message}`, error);
}

async function openStream(
  dialer: Dialer,
  peer: Endpoint,
  key: Uint8Array,
  addresses: TunnelAddresses,
  signal: AbortSignal,
): Promise<CheckStream> {
  const stream = await dialer.connectTcp(peer, signal);
  try {
    const hello = await readExactly(stream, HELLO_BYTES);
    const why = foreignness(hello);
    if (why !== "") throw new CheckError("protocol", why);
    const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
    await stream.write(encodeRequest(key, nonceOf(hello), nonce, addresses));
    const status = readAnswer(key, nonceOf(hello), nonce, await readExactly(stream, ANSWER_BYTES));
    if (status === "open") return stream;
    if (status === "server-refused") {
      throw new ServerRefused("refused", "the tunnel is in order, and the server behind it does not answer");
    }
    throw new CheckError("protocol", "the peer has another key");
  } catch (error) {
    stream[Symbol.dispose]();
    throw error;
  }
}

async function readExactly(stream: CheckStream, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await stream.read(bytes.subarray(at));
    if (count === null) throw new CheckError("closed", "the peer closed before the stream was open");
    at += count;
  }
  return bytes;
}

async function openDatagrams(
  dialer: Dialer,
  peer: Endpoint,
  key: Uint8Array,
  addresses: TunnelAddresses,
  signal: AbortSignal,
): Promise<CheckDatagrams> {
  const datagrams = await dialer.connectUdp(peer, signal);
  return {
    // The port that would be closed is the peer's: the server's own says nothing through a tunnel.
    reportsClosedPorts: false,
    send: (bytes) => datagrams.send(encodeDatagram(key, TUNNEL_WAY.toServer, addresses, bytes)),
    receive: async () => {
      for (;;) {
        const datagram = await datagrams.receive().catch((error) => {
          throw pathError(error);
        });
        const read = readDatagram(key, TUNNEL_WAY.toClient, datagram);
        if (read !== undefined) return read.payload;
      }
    },
    [Symbol.dispose]: () => datagrams[Symbol.dispose](),
  };
}
