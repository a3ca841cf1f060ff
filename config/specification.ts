/**
 * What the director is told about a configured service and its destinations.
 *
 * @module
 */
import type { DestinationSpec, ServiceSpec } from "../director/specs.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { PROTOCOL } from "../net/flow.ts";
import { markFamily } from "./identity.ts";
import type { DestinationConfig, ForwardingMethodName, ServiceConfig } from "./model.ts";

/** The virtual service that a configured one is. */
export function serviceSpecification(config: ServiceConfig): ServiceSpec {
  const { persistence, mark, listen } = config;
  return {
    key: mark !== undefined ? { mark: mark.value, family: markFamily(config) } : {
      protocol: PROTOCOL[config.protocol],
      address: listen.address,
      port: listen.port,
    },
    scheduler: config.scheduler,
    flags: config.schedulerFlags,
    onePacket: config.onePacket,
    ...(persistence === undefined ? {} : {
      persistence: { timeoutMs: persistence.timeoutMs, prefixLength: persistence.prefixLength },
      ...(persistence.engine === undefined ? {} : { persistenceEngine: persistence.engine }),
    }),
  };
}

/**
 * The destination that a configured one is.
 *
 * @param endpoint its address; that of a name once it is resolved
 */
export function destinationSpecification(
  config: DestinationConfig,
  endpoint: Endpoint,
  method: ForwardingMethodName,
): DestinationSpec {
  return {
    address: endpoint.address,
    port: endpoint.port,
    method,
    weight: config.weight,
    upperThreshold: config.upperThreshold,
    lowerThreshold: config.lowerThreshold,
    allowMixedFamilies: true,
  };
}
