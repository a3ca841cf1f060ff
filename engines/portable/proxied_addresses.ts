/**
 * Addresses that travel in PROXY headers, into and out of a flow.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { Flow, PROTOCOL } from "../../net/flow.ts";
import { encodeProxyV1, encodeProxyV2, type ProxyHeader } from "../../net/proxy_protocol.ts";

/** The flow of a connection that was accepted from `peer` at `local`, for a service that the listener knows. */
export function acceptedFlow(service: number, peer: Endpoint, local: Endpoint): Flow {
  const flow = Flow.between(PROTOCOL.tcp, peer, local);
  flow.service = service;
  flow.packets = 0;
  return flow;
}

/**
 * Puts the client that a header names in the place of the peer. The virtual address stays the real local one, unless
 * its family is not the client's: a flow has one family, so the header's own destination serves then.
 */
export function applyProxyHeader(flow: Flow, header: ProxyHeader): void {
  const { source, destination } = header;
  if (source === undefined || destination === undefined) return;
  flow.client.set(source.address.words);
  flow.clientPort = source.port;
  if (source.address.family === flow.family) return;
  flow.family = source.address.family;
  flow.virtual.set(destination.address.words);
  flow.virtualPort = destination.port;
}

/** The header that tells a real server who the client is. */
export function proxyHeaderFor(flow: Flow, version: "v1" | "v2"): Uint8Array<ArrayBuffer> {
  const client = { address: new IpAddress(flow.family, flow.client), port: flow.clientPort };
  const virtual = { address: new IpAddress(flow.family, flow.virtual), port: flow.virtualPort };
  return version === "v1" ? encodeProxyV1(client, virtual) : encodeProxyV2("tcp", client, virtual);
}
