/**
 * A status as text for people.
 *
 * @module
 */
import type {
  CountByReason,
  DestinationState,
  DestinationStatus,
  HealthStatus,
  Readiness,
  ServiceState,
  ServiceStatus,
  Status,
} from "../admin/source.ts";
import { alignColumns, type Cell, counted, formatBytes, formatSeconds, printableAll } from "./table.ts";

/** Clients notice: a tenth of a second is taken for an immediate answer, and not more (Nielsen, Usability Engineering, 1993). */
const SLOW_TURN_SECONDS = 0.1;

type Paint = (text: string) => string;

/** SGR colours of ECMA-48. */
const COLOURS = { good: 32, warning: 33, bad: 31, heading: 1, quiet: 2 } as const;
type Colour = keyof typeof COLOURS;

const SERVICE_COLOUR: Readonly<Record<ServiceState, Colour>> = {
  listening: "good",
  unbound: "bad",
  closed: "warning",
};

const DESTINATION_COLOUR: Readonly<Record<DestinationState, Colour>> = {
  up: "good",
  unchecked: "good",
  down: "bad",
  loop: "bad",
  unresolved: "bad",
  duplicate: "warning",
};

/**
 * The whole page.
 *
 * @param options `colour`: with ANSI colours
 */
export function formatStatus(status: Status, readiness: Readiness, options: { colour: boolean }): string {
  // Once and for all: names, details and answers of real servers have texts that a terminal might obey.
  return formatPrintable(printableAll(status), printableAll(readiness), options.colour);
}

function formatPrintable(status: Status, readiness: Readiness, inColour: boolean): string {
  const paint = (colour: Colour): Paint =>
    inColour ? (text) => `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : (text) => text;
  const blocks = [
    directorLines(status, readiness, paint),
    ...status.services.map((service) => serviceLines(service, paint)),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function directorLines(status: Status, readiness: Readiness, paint: (colour: Colour) => Paint): string[] {
  const { connectionTable: table, memory, timeouts, lastReload } = status;
  const state = readiness.ready ? paint("good")("ready") : paint("bad")("not ready");
  const config = status.configFile === "" ? "from the command line" : status.configFile;
  const lines = [
    `lvsd ${status.version}, pid ${status.pid}, up ${formatSeconds(status.uptimeSeconds)}, ${state}`,
    `config ${config}, generation ${status.configGeneration}`,
    `engine ${status.engine.name}${because(status.engine.reason)}`,
    `time-outs tcp ${timeouts.tcpSeconds} s, tcpfin ${timeouts.tcpFinSeconds} s, udp ${timeouts.udpSeconds} s`,
    `connection entries ${table.entries} of ${table.capacity}, memory ${formatBytes(memory.rssBytes)}`,
  ];
  if (lastReload !== null) {
    const outcome = lastReload.ok ? paint("good")("applied") : paint("bad")("refused");
    lines.push(`reload ${lastReload.atWall} ${outcome}: ${lastReload.message}`);
  }
  for (const { service, reason } of status.unserved) {
    lines.push(paint("warning")(`${service} forwards nothing: ${reason}`));
  }
  for (const { worker, longestTurnSeconds } of status.workers) {
    if (longestTurnSeconds < SLOW_TURN_SECONDS) continue;
    const ms = Math.round(longestTurnSeconds * 1_000);
    lines.push(
      paint("warning")(
        `worker ${worker} was busy for ${ms} ms on end lately, and its clients waited: more workers help, or more processors`,
      ),
    );
  }
  if (status.logDropped > 0) lines.push(paint("warning")(`log records dropped ${status.logDropped}`));
  lines.push(...countLine("drops outside of services", status.drops));
  for (const { service, reason } of readiness.problems) {
    lines.push(
      paint("bad")(`not ready: ${service === "" ? "" : `${service}: `}${reason}`),
    );
  }
  return lines;
}

function whereOf({ mark, listen }: ServiceStatus): string {
  if (mark === null) return listen;
  return listen === "" ? `mark ${mark}` : `mark ${mark} on ${listen}`;
}

function serviceLines(service: ServiceStatus, paint: (colour: Colour) => Paint): string[] {
  const { counters, persistence, sorryServer } = service;
  const state = paint(SERVICE_COLOUR[service.state])(service.state);
  const options = [service.scheduler, ...service.flags, service.mode, service.engine];
  if (service.onePacket) options.push("one-packet");
  if (persistence !== null) {
    options.push(`persistent ${persistence.timeoutSeconds} s /${persistence.prefixLength}`);
  }
  const name = paint("heading")(service.name);
  const lines = [
    `${name}  ${service.protocol} ${whereOf(service)}  ${options.join(" ")}  ${state}${
      because(service.stateReason)
    }`,
    `  ${service.liveConnections} live, ${counted(counters.connections, "connection")}` +
    `, ${formatBytes(counters.bytesIn)} in, ${formatBytes(counters.bytesOut)} out` +
    (service.packetsCounted ? `, ${counters.packetsIn} packets in, ${counters.packetsOut} out` : ""),
  ];
  if (service.emulated) lines.push(paint("warning")(`  emulated${because(service.emulatedReason)}`));
  for (const { setting, reason } of service.notInForce) {
    lines.push(paint("warning")(`  ${setting} is not in force: ${reason}`));
  }
  if (sorryServer !== null) {
    const use = sorryServer.active ? paint("warning")("active") : "standing by";
    lines.push(`  sorry server ${sorryServer.address}: ${use}`);
  }
  lines.push(...countLine("  drops", service.drops), ...countLine("  ends", service.ends));
  return [...lines, ...destinationLines(service.destinations, paint)];
}

const HEADINGS = [
  "Destination",
  "State",
  "Weight",
  "ActiveConn",
  "InActConn",
  "Conns",
  "In",
  "Out",
  "Health",
];
const RIGHT = { alignRight: true } as const;

function destinationLines(
  destinations: readonly DestinationStatus[],
  paint: (colour: Colour) => Paint,
): string[] {
  if (destinations.length === 0) return [paint("warning")("  no destinations")];
  const quiet = paint("quiet");
  const head = HEADINGS.map((text, i): Cell => ({ text, paint: quiet, alignRight: i >= 2 && i < 8 }));
  const rows = destinations.map((it): Cell[] => [
    { text: destinationName(it) },
    { text: it.overloaded ? `${it.state}, overloaded` : it.state, paint: paint(destinationColour(it)) },
    { text: weight(it), ...RIGHT },
    { text: String(it.activeConns), ...RIGHT },
    { text: String(it.inactiveConns), ...RIGHT },
    { text: String(it.counters.connections), ...RIGHT },
    { text: formatBytes(it.counters.bytesIn), ...RIGHT },
    { text: formatBytes(it.counters.bytesOut), ...RIGHT },
    { text: health(it.health) },
  ]);
  return alignColumns([head, ...rows]).map((line) => `  ${line}`.trimEnd());
}

function destinationName({ name, address }: DestinationStatus): string {
  return name === address ? address : `${name} ${address}`;
}

function destinationColour({ state, overloaded, effectiveWeight }: DestinationStatus): Colour {
  const colour = DESTINATION_COLOUR[state];
  return colour === "good" && (overloaded || effectiveWeight === 0) ? "warning" : colour;
}

/** The weight in force; the configured one is added when it is another. */
function weight({ effectiveWeight, configuredWeight }: DestinationStatus): string {
  return effectiveWeight === configuredWeight
    ? String(effectiveWeight)
    : `${effectiveWeight} of ${configuredWeight}`;
}

function health(status: HealthStatus | null): string {
  if (status === null) return "";
  const words = [status.reason, status.detail].filter((it) => it !== "").join(": ");
  return `${words}${words === "" ? "" : ", "}for ${formatSeconds(status.sinceSeconds)}`;
}

function countLine(title: string, counts: CountByReason): string[] {
  const words = Object.entries(counts).filter(([, count]) => count > 0).map(([reason, count]) =>
    `${reason} ${count}`
  );
  return words.length === 0 ? [] : [`${title}: ${words.join(", ")}`];
}

function because(reason: string): string {
  return reason === "" ? "" : `: ${reason}`;
}
