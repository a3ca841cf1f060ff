/**
 * What identifies a service and a destination, across a reload and on screen.
 *
 * @module
 */
import { formatEndpoint } from "../net/endpoint.ts";
import type { DestinationConfig, ServiceConfig } from "./model.ts";

/** `tcp 127.0.0.1:8080`: one service in a config has it. */
export function serviceIdentity({ protocol, listen }: Pick<ServiceConfig, "protocol" | "listen">): string {
  return `${protocol} ${formatEndpoint(listen)}`;
}

/** `127.0.0.1:3001`: one destination in a service has it. */
export function destinationIdentity({ endpoint }: Pick<DestinationConfig, "endpoint">): string {
  return formatEndpoint(endpoint);
}

/** Name of a service that was given none; a TCP and a UDP service on one port have different ones. */
export function defaultServiceName({ protocol, listen }: Pick<ServiceConfig, "protocol" | "listen">): string {
  return protocol === "udp" ? `${formatEndpoint(listen)}/udp` : formatEndpoint(listen);
}
