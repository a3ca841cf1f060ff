/**
 * The way from a director's decision to a real server that answers.
 *
 * @module
 */
import { ACTION, type Verdict } from "../../director/verdict.ts";
import { SystemError } from "../../errors.ts";
import { IpAddress } from "../../net/address.ts";
import { readKeyFile } from "../../sys/key_file.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import { connectFailure, ownShortage } from "./tcp_failures.ts";
import type { HalfOwner } from "./tcp_half.ts";
import type { TcpHost, Wait } from "./tcp_host.ts";
import type { Dialer, SocketOwner, TcpSocket } from "./tcp_socket.ts";
import { TunnelOpening } from "./tunnel_opening.ts";

/** The connection that a server is wanted for. */
export interface DialOwner extends HalfOwner {
  /** Owner of the server's socket, once that is there. */
  readonly fromServer: SocketOwner;
  /** The server answered; `fromServer` is yet to be given its socket. */
  connected(server: TcpSocket): void;
  /** No server can be had. */
  dialFailed(reason: EndReason): void;
}

/** One attempt after another, as many as the service's options allow. */
export class TcpDial implements Dialer, Wait {
  deadlineMs = Infinity;
  /** Handle of the last destination asked, -1 before the first. */
  destination = -1;
  readonly #owner: DialOwner;
  readonly #host: TcpHost;
  readonly #options: BindingOptions;
  #serverHost = "";
  #serverFamily: 4 | 6 = 4;
  #serverPort = 0;
  #failed: number[] | undefined;
  #connecting: TcpSocket | undefined;
  /** The peer of a tunnel has answered the connect, and has yet to say that the stream is open. */
  #opening: TunnelOpening | undefined;

  constructor(owner: DialOwner, host: TcpHost, options: BindingOptions) {
    this.#owner = owner;
    this.#host = host;
    this.#options = options;
  }

  /** Of the last destination asked, `""` before the first. */
  get destinationText(): string {
    if (this.destination < 0) return "";
    return this.#serverFamily === 6
      ? `[${this.#serverHost}]:${this.#serverPort}`
      : `${this.#serverHost}:${this.#serverPort}`;
  }

  /** Connects to what the director chose. */
  start({ destination, destinationPort }: Verdict, nowMs: number): void {
    const { host, family } = this.#owner.traffic.destinationAddress(destination);
    this.destination = destination;
    this.#serverHost = host;
    this.#serverFamily = family;
    this.#serverPort = destinationPort;
    if (this.#host.isOwnListener(host, destinationPort)) this.#attemptFailed("loop");
    else this.#connect(nowMs);
  }

  #connect(nowMs: number): void {
    const port = this.#tunnel?.port ?? this.#serverPort;
    this.#host.socketOpened();
    this.#connecting = this.#host.sockets.connect(this.#serverHost, port, this.#serverFamily, this);
    this.deadlineMs = nowMs + this.#options.connectTimeoutMs;
    this.#host.waits.add(this);
  }

  get #tunnel(): { readonly port: number; readonly keyFile: string } | undefined {
    const { tunnels } = this.#options;
    return tunnels === undefined ? undefined : tunnels.get(this.destinationText);
  }

  connected(): void {
    const server = this.#connecting;
    if (server === undefined) return;
    const tunnel = this.#tunnel;
    if (tunnel === undefined) this.#done(server);
    else if (this.#openTunnel(server, tunnel.keyFile)) server.readStart();
    else this.#attemptFailed("tunnel-refused");
  }

  #done(server: TcpSocket): void {
    this.stop();
    this.#owner.connected(server);
  }

  /** Speaks to the peer of the destination's tunnel; the key is read anew, so that it may be changed. */
  #openTunnel(server: TcpSocket, keyFile: string): boolean {
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
      this.#opening = new TunnelOpening(server, readKeyFile(keyFile), addresses, {
        opened: () => {
          this.#done(server);
          return this.#owner.fromServer;
        },
        refused: (why, isServer) => {
          this.#host.trouble(`tunnel to ${this.destinationText}: ${why}`);
          this.#attemptFailed(isServer ? "connect-refused" : "tunnel-refused");
        },
      });
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#host.trouble(error.message);
      return false;
    }
  }

  /** What the peer of a tunnel says. */
  receive(chunk: Uint8Array): boolean {
    return this.#opening?.receive(chunk) ?? false;
  }

  readonly isHolding = false;

  /** The peer of a tunnel closed before the stream was open. */
  ended(): void {
    this.#attemptFailed("tunnel-refused");
  }

  flushed(): void {}

  failed(code: string): void {
    const shortage = ownShortage(code);
    if (shortage === undefined) {
      this.#attemptFailed(connectFailure(code));
      return;
    }
    // This host's fault: the destination is not blamed, and another one would fare no better.
    this.stop()?.close();
    this.#host.shortage(code, shortage);
    this.#owner.dialFailed("error");
  }

  closed(): void {
    this.#owner.socketClosed();
  }

  /** The server did not answer in time. */
  deadlineMissed(): void {
    this.#attemptFailed("connect-timeout");
  }

  #attemptFailed(reason: EndReason): void {
    const { flow, traffic, clock } = this.#owner;
    this.stop()?.close();
    this.#host.events.connectFailed(this.destination, reason);
    const failed = this.#failed ??= [];
    failed.push(this.destination);
    if (failed.length <= this.#options.retries) {
      const nowMs = clock.nowMs();
      const verdict = traffic.reschedule(flow, failed, nowMs);
      if (verdict.action === ACTION.forward) {
        this.start(verdict, nowMs);
        return;
      }
    }
    this.#owner.dialFailed(reason);
  }

  /** Waits no more. The socket under way, if any, is the caller's to close. */
  stop(): TcpSocket | undefined {
    const server = this.#connecting;
    if (server === undefined) return undefined;
    this.#connecting = undefined;
    this.#opening = undefined;
    this.#host.waits.delete(this);
    return server;
  }
}
