/**
 * From what a person writes about a flow to the flow that the director is asked about.
 *
 * @module
 */
import type { Director } from "../director/director.ts";
import type { ServiceKey } from "../director/specs.ts";
import { ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { Flow, PROTOCOL } from "../net/flow.ts";
import { LineWords } from "./line_words.ts";
import type { FlowDescription, ServiceReference } from "./script.ts";
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
  const virtual = "address" in to ? to : addressOf(key, client);
  const listener = through === undefined
    ? named ?? listenerOf(director, number, virtual)
    : directory.service(through);
  const flow = Flow.between(number, client, onHost(virtual, client));
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

/** The service that listens on every address, where only a socket engine can know which it is. */
function listenerOf(director: Director, protocol: number, { address, port }: Endpoint): number | undefined {
  const isExact = director.findService({ protocol, address, port }) !== undefined;
  if (isExact && !address.isUnspecified) return undefined;
  const found = director.services().find(({ key }) =>
    "protocol" in key && key.protocol === protocol && key.port === port &&
    (key.address.isUnspecified || address.isUnspecified)
  );
  return found?.handle;
}

function addressOf(key: ServiceKey | undefined, client: Endpoint): Endpoint {
  if (key !== undefined && "address" in key) return onHost(key, client);
  throw new ValueError(
    "FLOW_INVALID",
    "a service of a mark has no address of its own; write where the client goes",
  );
}

function onHost({ address, port }: Endpoint, client: Endpoint): Endpoint {
  if (!address.isUnspecified) return { address, port };
  return { address: IpAddress.parse(LOOPBACK[client.address.family]), port };
}
