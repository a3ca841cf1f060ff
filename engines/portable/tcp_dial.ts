/**
 * The way from a director's decision to a real server that answers.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { ACTION, type Verdict } from "../../director/verdict.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import { SystemError } from "../../errors.ts";
import { IpAddress } from "../../net/address.ts";
import { readKeyFile } from "../../sys/key_file.ts";
import { errorCode } from "./bind_error.ts";
import { type ReadSink, SocketReader } from "./socket_reader.ts";
import { connectFailure, ownShortage } from "./tcp_failures.ts";
import type { HalfOwner } from "./tcp_half.ts";
import type { TcpHost, Wait } from "./tcp_host.ts";
import { TunnelOpening } from "./tunnel_opening.ts";

/** The connection that a server is wanted for. */
export interface DialOwner extends HalfOwner {
  /** Takes what the server sends. */
  readonly fromServer: ReadSink;
  /** The server answered; its socket's further events are the owner's. */
  connected(server: Socket): void;
  /** No server can be had. */
  dialFailed(reason: EndReason): void;
  /** A socket of this connection, of a failed attempt too. */
  socketOpened(): void;
  socketClosed(): void;
}

/** One attempt after another, as many as the service's options allow. */
export class TcpDial implements Wait {
  deadlineMs = Infinity;
  /** Handle of the last destination asked, -1 before the first. */
  destination = -1;
  destinationText = "";
  readonly #owner: DialOwner;
  readonly #host: TcpHost;
  readonly #options: BindingOptions;
  readonly #failed: number[] = [];
  #connecting: Socket | undefined;

  constructor(owner: DialOwner, host: TcpHost, options: BindingOptions) {
    this.#owner = owner;
    this.#host = host;
    this.#options = options;
  }

  /** Connects to what the director chose. */
  start(verdict: Verdict): void {
    const { destination, destinationPort: port } = verdict;
    const { host, family } = this.#owner.traffic.destinationAddress(destination);
    this.destination = destination;
    this.destinationText = family === 6 ? `[${host}]:${port}` : `${host}:${port}`;
    if (this.#host.isOwnListener(host, port)) this.#attemptFailed("loop");
    else this.#connect(host, port, family);
  }

  /** Connects to the peer of the destination's tunnel; the key is read anew, so that it may be changed. */
  #tunnelOpening(server: Socket, reader: SocketReader, keyFile: string): TunnelOpening | undefined {
    const { flow } = this.#owner;
    const endpoint = (words: Uint32Array, port: number) => ({
      address: new IpAddress(flow.family, words),
      port,
    });
    const addresses = {
      client: endpoint(flow.client, flow.clientPort),
      virtual: endpoint(flow.virtual, flow.virtualPort),
    };
    try {
      return new TunnelOpening(server, readKeyFile(keyFile), addresses, {
        opened: () => {
          this.stop();
          reader.attach(this.#owner.fromServer);
          this.#owner.connected(server);
          return this.#owner.fromServer;
        },
        refused: (why, isServer) => {
          if (this.#connecting !== server) return;
          this.#host.trouble(`tunnel to ${this.destinationText}: ${why}`);
          this.#attemptFailed(isServer ? "connect-refused" : "tunnel-refused");
        },
      });
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#host.trouble(error.message);
      return undefined;
    }
  }

  #connect(host: string, port: number, family: 4 | 6): void {
    const reader = new SocketReader(this.#host.pool);
    const tunnel = this.#options.tunnels?.get(this.destinationText);
    const { onread } = reader;
    const at = tunnel?.port ?? port;
    const server = connect({ host, port: at, family, allowHalfOpen: true, noDelay: true, onread });
    const opening = tunnel === undefined ? undefined : this.#tunnelOpening(server, reader, tunnel.keyFile);
    reader.attach(opening ?? this.#owner.fromServer);
    this.#connecting = server;
    this.#owner.socketOpened();
    server.on("connect", () => {
      if (this.#connecting !== server) return;
      if (tunnel !== undefined) {
        if (opening === undefined) this.#attemptFailed("tunnel-refused");
        return;
      }
      this.stop();
      this.#owner.connected(server);
    });
    if (tunnel !== undefined) {
      // A peer that closes before the stream is open; afterwards the owner listens.
      server.on("end", () => this.#connecting === server && this.#attemptFailed("tunnel-refused"));
    }
    server.on("error", (error) => {
      if (this.#connecting === server) this.#connectFailed(errorCode(error));
    });
    server.on("close", () => {
      reader.close();
      this.#owner.socketClosed();
    });
    this.deadlineMs = this.#owner.clock.nowMs() + this.#options.connectTimeoutMs;
    this.#host.waits.add(this);
  }

  /** The server did not answer in time. */
  deadlineMissed(): void {
    this.#attemptFailed("connect-timeout");
  }

  #connectFailed(code: string): void {
    const shortage = ownShortage(code);
    if (shortage === undefined) {
      this.#attemptFailed(connectFailure(code));
      return;
    }
    // This host's fault: the destination is not blamed, and another one would fare no better.
    this.stop();
    this.#host.shortage(code, shortage);
    this.#owner.dialFailed("error");
  }

  #attemptFailed(reason: EndReason): void {
    const { flow, traffic, clock } = this.#owner;
    const server = this.#connecting;
    this.stop();
    server?.destroy();
    this.#host.events.connectFailed(this.destination, reason);
    this.#failed.push(this.destination);
    if (this.#failed.length <= this.#options.retries) {
      const verdict = traffic.reschedule(flow, this.#failed, clock.nowMs());
      if (verdict.action === ACTION.forward) {
        this.start(verdict);
        return;
      }
    }
    this.#owner.dialFailed(reason);
  }

  /** Waits no more. The socket under way, if any, is the caller's to close. */
  stop(): Socket | undefined {
    const server = this.#connecting;
    this.#connecting = undefined;
    this.#host.waits.delete(this);
    return server;
  }
}
