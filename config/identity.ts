/**
 * What identifies a service and a destination, across a reload and on screen.
 *
 * @module
 */
import type { Family } from "../net/address.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import type { DestinationConfig, MarkConfig, ServiceConfig } from "./model.ts";

/** What names a service; the mark as written, or as built. */
type Named = Pick<ServiceConfig, "protocol" | "listen"> & { readonly mark?: MarkConfig | number | undefined };

/** `tcp 127.0.0.1:8080`, or `mark 7`: one service in a config has it. */
export function serviceIdentity({ protocol, listen, mark }: Named): string {
  if (mark !== undefined) return markText(mark, markFamily({ listen }));
  return `${protocol} ${formatEndpoint(listen)}`;
}

/** A mark of IPv6 packets is another service than the same mark of IPv4 ones. A listener on every address has both. */
export function markFamily({ listen: { address } }: Pick<ServiceConfig, "listen">): Family {
  return address.family === 6 && !address.isUnspecified ? 6 : 4;
}

function markText(mark: MarkConfig | number, family: Family): string {
  const value = typeof mark === "number" ? mark : mark.value;
  return family === 6 ? `mark ${value} IPv6` : `mark ${value}`;
}

/** `127.0.0.1:3001`: one destination in a service has it. */
export function destinationIdentity({ endpoint }: Pick<DestinationConfig, "endpoint">): string {
  return formatEndpoint(endpoint);
}

/** Name of a service that was given none; a TCP and a UDP service on one port have different ones. */
export function defaultServiceName({ protocol, listen, mark }: Named): string {
  if (mark !== undefined) return markText(mark, markFamily({ listen }));
  return protocol === "udp" ? `${formatEndpoint(listen)}/udp` : formatEndpoint(listen);
}
