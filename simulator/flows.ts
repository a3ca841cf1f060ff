/**
 * From what a person writes about a flow to the flow that the director is asked about.
 *
 * @module
 */
import type { Director } from "../director/director.ts";
import type { ServiceKey } from "../director/specs.ts";
import { ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { Flow, PROTOCOL } from "../net/flow.ts";
import { LineWords } from "./line_words.ts";
import type { FlowDescription, ServiceReference } from "./script.ts";
import { protocolName } from "./script_writer.ts";
import { readFlow } from "./step_reader.ts";
import { LineMistake, tokensOf } from "./tokens.ts";

/** Where services are found by the names that people know. */
export interface Directory {
  readonly director: Director;
  /** Handle. @throws {ValueError} there is none */
  service(reference: ServiceReference): number;
}

/** Where clients of a service on every address reach it on the host itself. */
const LOOPBACK = { 4: "127.0.0.1", 6: "::1" } as const;

/**
 * Reads `tcp 10.0.0.7:40000 -> :8080`, `10.0.0.7:40000 -> web`, `... mark=7`.
 *
 * @throws {ValueError} `FLOW_INVALID`
 */
export function parseFlow(text: string): FlowDescription {
  try {
    const words = new LineWords(tokensOf(text));
    const { flow } = readFlow(words);
    words.end();
    return flow;
  } catch (error) {
    if (!(error instanceof LineMistake)) throw error;
    throw new ValueError(
      "FLOW_INVALID",
      `"${text}" is no flow: ${error.message}; write for example tcp 10.0.0.7:40000 -> :8080`,
      { value: text },
    );
  }
}

/** The flow as an engine would describe it. @throws {ValueError} `SERVICE_UNKNOWN`, `FLOW_INVALID` */
export function flowOf(description: FlowDescription, directory: Directory): Flow {
  const { protocol, client, to, through, mark } = description;
  const { director } = directory;
  const named = "address" in to ? undefined : directory.service(to);
  const key = named === undefined ? undefined : director.serviceView(named).key;
  const number = protocol ?? (key !== undefined && "protocol" in key ? key.protocol : PROTOCOL.tcp);
  const listener = through !== undefined
    ? directory.service(through)
    : named ?? ("address" in to ? listenerOf(director, number, to, client) : undefined);
  const virtual = "address" in to ? to : addressOf(key);
  if (key !== undefined && "protocol" in key) refuseStranger(key, number, client);
  const heard = listener === undefined ? undefined : director.serviceView(listener).key;
  const flow = Flow.between(number, client, onHost(virtual, heard, client));
  flow.mark = mark ?? (key !== undefined && "mark" in key ? key.mark : 0);
  if (listener !== undefined) flow.service = listener;
  return flow;
}

/** Handle of the service that a flow belongs to, in the director's order: mark, listener, own port, port 0. */
export function serviceOf(director: Director, flow: Flow): number | undefined {
  const { family, mark, protocol, virtualPort } = flow;
  const marked = mark === 0 ? undefined : director.findService({ mark, family });
  if (marked !== undefined) return marked;
  if (flow.service >= 0) return flow.service;
  const address = new IpAddress(family, flow.virtual);
  return director.findService({ protocol, address, port: virtualPort }) ??
    director.findService({ protocol, address, port: 0 });
}

/**
 * The service whose listener takes the flow, where the director's look-up by address would not find it: it listens on every
 * address, or the question names only a port.
 */
function listenerOf(
  director: Director,
  protocol: number,
  { address, port }: Endpoint,
  client: Endpoint,
): number | undefined {
  const isExact = director.findService({ protocol, address, port }) !== undefined;
  if (isExact && !address.isUnspecified) return undefined;
  const found = director.services().find(({ key }) =>
    "protocol" in key && key.protocol === protocol && key.port === port &&
    (key.address.isUnspecified || address.isUnspecified) && takes(key.address, client.address)
  );
  return found?.handle;
}

/** A service is named whose listener such a flow cannot come to. */
function refuseStranger(
  key: Extract<ServiceKey, { protocol: number }>,
  protocol: number,
  client: Endpoint,
): void {
  if (protocol === key.protocol && takes(key.address, client.address)) return;
  const flow = protocol === key.protocol ? `IPv${client.address.family}` : protocolName(protocol);
  throw new ValueError(
    "FLOW_INVALID",
    `the service is ${protocolName(key.protocol)} ${formatEndpoint(key)}: no flow of ${flow} comes to it`,
    {},
  );
}

/** `[::]` takes clients of both families, every other address those of its own. */
function takes(listening: IpAddress, client: IpAddress): boolean {
  return listening.family === client.family || (listening.family === 6 && listening.isUnspecified);
}

function addressOf(key: ServiceKey | undefined): Endpoint {
  if (key !== undefined && "address" in key) return key;
  throw new ValueError(
    "FLOW_INVALID",
    "a service of a mark has no address of its own; write where the client goes",
  );
}

/** Where the packet goes: a question about every address means the listener's own, or the host itself. */
function onHost({ address, port }: Endpoint, heard: ServiceKey | undefined, client: Endpoint): Endpoint {
  if (!address.isUnspecified) return { address, port };
  const own = heard !== undefined && "address" in heard && !heard.address.isUnspecified
    ? heard.address
    : undefined;
  return { address: own ?? IpAddress.parse(LOOPBACK[client.address.family]), port };
}
