/**
 * What the director is told about a configured service and its destinations.
 *
 * @module
 */
import type { DestinationSpec, PersistenceSpec, ServiceSpec } from "../director/specs.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { PROTOCOL } from "../net/flow.ts";
import { markFamily } from "./identity.ts";
import type { DestinationConfig, ForwardingMethodName, PersistenceConfig, ServiceConfig } from "./model.ts";

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
      persistence: clientGranularity(persistence),
      ...(persistence.engine === undefined ? {} : { persistenceEngine: persistence.engine }),
    }),
  };
}

function clientGranularity({ timeoutMs, prefixLength, netmask }: PersistenceConfig): PersistenceSpec {
  return netmask === undefined ? { timeoutMs, prefixLength } : { timeoutMs, netmask };
}

/**
 * The destination that a configured one is.
 *
 * @param endpoint its address; that of a name once it is resolved
 * @param method the service's
 */
export function destinationSpecification(
  config: DestinationConfig,
  endpoint: Endpoint,
  method: ForwardingMethodName,
): DestinationSpec {
  return {
    address: endpoint.address,
    port: endpoint.port,
    method: config.method ?? method,
    weight: config.weight,
    upperThreshold: config.upperThreshold,
    lowerThreshold: config.lowerThreshold,
    allowMixedFamilies: true,
    ...(config.tunnel === undefined ? {} : { tunnel: config.tunnel }),
  };
}
