/**
 * The doctor's round on a director: the host, then each service.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../config/model.ts";
import { TRANSPARENT_PIECES } from "../net/transparent_network.ts";
import { destinationChecks } from "./destination_checks.ts";
import type { Diagnosis, Finding, Life, ServiceDiagnosis } from "./finding.ts";
import type { Host } from "./host.ts";
import { HOST_CHECKS } from "./host_checks.ts";
import { listenerChecks } from "./listener_checks.ts";
import { packetObstacles, servicePacketChecks } from "./packet_checks.ts";
import { segmentChecks } from "./segment_checks.ts";
import { transparentChecks } from "./transparent_checks.ts";

/** What the doctor reads of a config. */
export type DoctorConfig = Pick<Config, "services" | "file" | "packet">;

/** Looks at everything that a config asks of a host. */
export async function diagnose(config: DoctorConfig, host: Host): Promise<Diagnosis> {
  const services: ServiceDiagnosis[] = [];
  for (const service of config.services) services.push(await diagnoseService(config, service, host));
  return { host: HOST_CHECKS.flatMap((check) => [...check(host)]), services };
}

async function diagnoseService(
  config: DoctorConfig,
  service: ServiceConfig,
  host: Host,
): Promise<ServiceDiagnosis> {
  const isPackets = service.mode !== "nat";
  const obstacles = isPackets ? [...packetObstacles(host, config, service)] : [];
  const destinations: Finding[] = [];
  for (const it of service.destinations) {
    destinations.push(
      ...await destinationChecks(host, config, service, it, isPackets && obstacles.length === 0),
    );
  }
  const blocked = isPackets && (obstacles.length > 0 ||
    destinations.some((it) => it.effect === "emulates"));
  const runsBySockets = !isPackets || blocked;
  const findings = [
    ...obstacles,
    ...(runsBySockets ? listenerChecks(host, service) : servicePacketChecks(host, config.packet, service)),
    ...segmentChecks(host, config.packet, service),
    ...transparentChecks(host, service),
    ...destinations,
  ];
  return { service: service.name, mode: service.mode, ...verdict(service, findings, blocked), findings };
}

function verdict(
  { mode, destinations }: ServiceConfig,
  findings: readonly Finding[],
  isBlocked: boolean,
): { life: Life; reason: string } {
  // One destination that is out leaves the others; a listener that is out leaves nothing.
  const stopped = findings.filter((it) => it.effect === "stops");
  const outside = new Set(stopped.map((it) => it.subject));
  const own = stopped.find((it) => LISTENER_IDS.has(it.id));
  if (own !== undefined) return { life: "impossible", reason: own.text };
  if (destinations.length > 0 && outside.size >= destinations.length) {
    return { life: "impossible", reason: "no destination can get traffic" };
  }
  if (!isBlocked) {
    return {
      life: "real",
      reason: mode === "nat" ? "lvsd relays both directions" : "real packets are forwarded",
    };
  }
  return { life: "emulated", reason: findings.find((it) => it.effect === "emulates")?.text ?? "" };
}

/** Findings about the service itself. */
const LISTENER_IDS: ReadonlySet<string> = new Set([
  "vip-answered-elsewhere",
  "ipv6-disabled",
  "vip-missing",
  "privileged-port",
  "port-taken",
  "bind-denied",
  "bind-failed",
  "transparent-engine",
  "transparent-capability",
  ...TRANSPARENT_PIECES.map((it) => it.id),
]);
