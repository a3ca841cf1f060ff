/**
 * Writes steps as `readScript` reads them.
 *
 * @module
 */
import { formatDuration } from "../config/duration.ts";
import type { DestinationSpec, PersistenceSpec, ServiceKey } from "../director/specs.ts";
import { IpAddress } from "../net/address.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { DIRECTION, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
import { SCHEDULER_FLAG } from "../schedulers/scheduler.ts";
import type {
  Expectation,
  FlowDescription,
  FlowReference,
  ScriptLine,
  ServiceReference,
  ServiceSettings,
  Step,
} from "./script.ts";
import { quoteWord } from "./tokens.ts";

/** One line without its end. */
export function formatLine({ atMs, step, expected }: Omit<ScriptLine, "line">): string {
  const time = atMs === undefined ? "" : `@${atMs}ms `;
  return time + formatStep(step) + (expected === undefined ? "" : ` => ${formatExpectation(expected)}`);
}

export function formatExpectation(expected: Expectation): string {
  return "refusal" in expected ? expected.refusal : formatEndpoint(expected.destination);
}

/** The step's words. */
export function formatStep(step: Step): string {
  return [step.verb, ...wordsOf(step)].filter((it) => it !== "").join(" ");
}

/** `tcp:10.0.0.1:80`, `mark:7`, `mark6:7`: a service by its key. */
export function formatKey(key: ServiceKey): string {
  if ("mark" in key) return `mark${key.family === 6 ? "6" : ""}:${key.mark}`;
  return `${protocolName(key.protocol)}:${formatEndpoint(key)}`;
}

/** `tcp 192.0.2.7:40000 -> web`. */
export function formatFlow(flow: FlowDescription): string {
  const { protocol, client, to, through, mark } = flow;
  return [
    protocol === undefined ? "" : protocolName(protocol),
    formatEndpoint(client),
    "->",
    "address" in to ? formatEndpoint(to) : formatService(to),
    through === undefined ? "" : `on=${formatService(through)}`,
    mark === undefined ? "" : `mark=${mark}`,
  ].filter((it) => it !== "").join(" ");
}

function wordsOf(step: Step): readonly string[] {
  switch (step.verb) {
    case "advance":
      return [];
    case "wait":
      return [formatDuration(step.ms)];
    case "service":
      return [formatKey(step.key), formatSettings(step.settings)];
    case "change":
      return [formatService(step.service), formatSettings(step.settings)];
    case "remove":
      return [formatService(step.service)];
    case "add":
    case "edit":
      return [formatService(step.service), formatDestination(step.destination)];
    case "weight":
      return [formatService(step.service), formatEndpoint(step.destination), `${step.weight}`];
    case "delete":
      return [formatService(step.service), formatEndpoint(step.destination)];
    case "order":
      return [formatService(step.service), ...step.destinations.map(formatEndpoint)];
    case "timeouts": {
      const { tcpMs, tcpFinMs, udpMs } = step.timeouts;
      return [["tcp", tcpMs], ["tcpfin", tcpFinMs], ["udp", udpMs]]
        .flatMap(([name, ms]) => typeof ms === "number" ? `${name}=${formatDuration(ms)}` : []);
    }
    case "sysctl":
      return [step.name, `${step.value}`];
    case "open":
      return [formatFlow(step.flow), step.label === undefined ? "" : `as=${step.label}`];
    case "close":
    case "forget":
      return [formatReference(step.flow)];
    case "reset":
      return [formatReference(step.flow), step.by === DIRECTION.output ? "by-server" : ""];
    case "data":
      return [formatReference(step.flow), `${step.bytes}`];
    case "segment":
      return [
        formatReference(step.flow),
        step.direction === DIRECTION.output ? "output" : "input",
        formatFlags(step.flags),
        `${step.bytes}`,
        step.packets === 0 ? "streamed" : "",
      ];
    case "retry":
      return [formatReference(step.flow), "without", ...step.failed.map(formatEndpoint)];
  }
}

function formatService(service: ServiceReference): string {
  return "key" in service ? formatKey(service.key) : quoteWord(service.name);
}

function formatReference(flow: FlowReference): string {
  return "label" in flow ? quoteWord(flow.label) : formatFlow(flow);
}

function formatSettings(settings: ServiceSettings): string {
  const { scheduler, flags, persistence, persistenceEngine, onePacket } = settings;
  const names = Object.values(SCHEDULER_FLAG).flatMap((bit, i) => (flags & bit) !== 0 ? `flag-${i + 1}` : []);
  return [
    scheduler,
    names.length === 0 ? "" : `flags=${names.join(",")}`,
    persistence === undefined ? "" : `persistent=${formatPersistence(persistence)}`,
    persistenceEngine === undefined ? "" : `engine=${persistenceEngine}`,
    onePacket ? "one-packet" : "",
  ].filter((it) => it !== "").join(" ");
}

function formatPersistence(persistence: PersistenceSpec): string {
  const time = formatDuration(persistence.timeoutMs);
  if ("prefixLength" in persistence) return `${time}/${persistence.prefixLength}`;
  return `${time}/${new IpAddress(4, Uint32Array.of(persistence.netmask, 0, 0, 0))}`;
}

function formatDestination(destination: DestinationSpec): string {
  const { method, weight, effectiveWeight, upperThreshold = 0, lowerThreshold = 0 } = destination;
  return [
    `${formatEndpoint(destination)}@${weight}`,
    method,
    upperThreshold === 0 ? "" : `upper=${upperThreshold}`,
    lowerThreshold === 0 ? "" : `lower=${lowerThreshold}`,
    effectiveWeight === undefined ? "" : `in-force=${effectiveWeight}`,
  ].filter((it) => it !== "").join(" ");
}

function formatFlags(flags: number): string {
  const letters: readonly (readonly [string, number])[] = [
    ["S", TCP_FLAG.syn],
    ["F", TCP_FLAG.fin],
    ["R", TCP_FLAG.rst],
    ["P", TCP_FLAG.psh],
    ["A", TCP_FLAG.ack],
  ];
  const text = letters.map(([letter, bit]) => (flags & bit) !== 0 ? letter : "").join("");
  return text === "" ? "0" : text;
}

/** `tcp`; the number of a protocol without a name. */
export function protocolName(protocol: number): string {
  return Object.entries(PROTOCOL).find(([, number]) => number === protocol)?.[0] ?? `${protocol}`;
}
