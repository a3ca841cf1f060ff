/**
 * The real server's end of tunnel sockets: opens streams for directors that have the key, and unwraps their datagrams.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import { TunnelDatagrams } from "./tunnel_datagrams.ts";
import type { TunnelPeerOptions } from "./tunnel_peer_options.ts";
import { TunnelStreams } from "./tunnel_streams.ts";

/** Both halves on one port. */
export class TunnelPeer implements AsyncDisposable {
  /** The port of both. */
  readonly port: number;
  readonly #streams: TunnelStreams;
  readonly #datagrams: TunnelDatagrams;

  private constructor(streams: TunnelStreams, datagrams: TunnelDatagrams) {
    this.#streams = streams;
    this.#datagrams = datagrams;
    this.port = streams.port;
  }

  /** @throws {SystemError} `ADDRESS_IN_USE` and the like */
  static async open(options: TunnelPeerOptions): Promise<TunnelPeer> {
    const spaced = { ...options, refused: spacedOut(options) };
    const streams = await TunnelStreams.open(spaced);
    try {
      const listen = { ...options.listen, port: streams.port };
      return new TunnelPeer(streams, TunnelDatagrams.open({ ...spaced, listen }));
    } catch (error) {
      await streams.close();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#streams.close(), this.#datagrams.close()]);
  }
}

/** A flood of refusals must not be a flood of lines. */
function spacedOut({ clock, refused }: TunnelPeerOptions): (message: string) => void {
  let nextMs = -Infinity;
  return (message) => {
    const nowMs = clock.nowMs();
    if (nowMs < nextMs) return;
    nextMs = nowMs + LIMITS.troubleSpacingMs;
    refused(message);
  };
}
