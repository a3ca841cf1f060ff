/**
 * Output of `ipvsadm -S` as a config.
 *
 * @module
 */
import { ToolError } from "../../errors.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import { PROTOCOL } from "../../net/flow.ts";
import { flagNames } from "../flags.ts";
import type { Draft } from "../draft.ts";
import { maskText } from "../list.ts";
import type { Names } from "../names.ts";
import { sameKey } from "../order.ts";
import { parseCommand } from "../parse.ts";
import { readRestored } from "../restore.ts";
import type { DestinationRule, ServiceRule } from "../rules.ts";
import { Import, type ImportedDestination } from "./imported.ts";

/** Rules as they come, with the line they stand in. */
interface Rules {
  readonly service: ServiceRule;
  readonly line: number;
  readonly destinations: { readonly rule: DestinationRule; readonly line: number }[];
}

/** Reads the commands; what is none, or has no counterpart, is a warning. Comments are allowed here. */
export async function importRules(text: string, file: string, names: Names): Promise<Import> {
  const it = new Import();
  const services: Rules[] = [];
  for (const [i, lineText] of text.split("\n").entries()) {
    if (lineText.trimStart().startsWith("#")) continue;
    for (const words of readRestored(lineText)) {
      await takeLine(words, i + 1, services, it, file, names);
    }
  }
  for (const rules of services) takeService(rules, it, file);
  return it;
}

async function takeLine(
  words: readonly string[],
  line: number,
  services: Rules[],
  it: Import,
  file: string,
  names: Names,
): Promise<void> {
  try {
    const parsed = await parseCommand(words, names);
    if (parsed.kind === "command") takeCommand(parsed.draft, line, services, it, file);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    // The tool's own words for a line without a command are of no use to somebody with a file.
    const isRule = words[0]?.startsWith("-") ?? false;
    it.warn(
      file,
      line,
      `left out: ${isRule ? error.message.trim() : `no command of ipvsadm: ${words.join(" ")}`}`,
    );
  }
}

function takeCommand(draft: Draft, line: number, services: Rules[], it: Import, file: string): void {
  const { command } = draft;
  const known = services.find(({ service }) => sameKey(service.key, draft.key));
  if (command === "add-service" && known === undefined) {
    services.push({ service: draft.service, line, destinations: [] });
  } else if (command === "add-server" && known !== undefined) {
    known.destinations.push({ rule: draft.destination, line });
  } else if (command === "set") {
    const { tcpSeconds: tcp, tcpFinSeconds: tcpFin, udpSeconds: udp } = draft.timeouts;
    it.timeouts = { ...(tcp && { tcp }), ...(tcpFin && { tcpFin }), ...(udp && { udp }) };
  } else if (command === "add-service") it.warn(file, line, "left out: this service is there already");
  else if (command === "add-server") it.warn(file, line, "left out: its service is not defined above");
  else it.warn(file, line, `left out: ${command} is no rule`);
}

function takeService({ service, line, destinations }: Rules, it: Import, file: string): void {
  const { key, scheduler, persistentSeconds, persistenceEngine } = service;
  if (!("mark" in key) && (key.protocol === PROTOCOL.sctp || key.port === 0)) {
    const why = key.port === 0 ? "a service on all ports" : "SCTP";
    it.warn(
      file,
      line,
      `left out with its servers: a config has no counterpart of ${why}; lvsd ipvsadm takes it`,
    );
    return;
  }
  if ("mark" in key) {
    it.warn(file, line, `mark ${key.mark}: name the addresses that feed it in listen, or add MARK rules`);
  }
  const mask = maskText(service);
  const flags = flagNames(service.flags, scheduler)?.split(",").filter((name) => name !== "");
  it.services.push({
    listen: "mark" in key ? "off" : formatEndpoint(key),
    ...("mark" in key ? { mark: key.mark } : {}),
    protocol: !("mark" in key) && key.protocol === PROTOCOL.udp ? "udp" : "tcp",
    scheduler: it.scheduler(scheduler, file, line),
    ...(flags === undefined ? {} : { flags }),
    ...(persistentSeconds === undefined ? {} : {
      persistence: {
        timeout: `${persistentSeconds}s`,
        ...(mask === undefined ? {} : { netmask: /^\d+$/.test(mask) ? Number(mask) : mask }),
        ...(persistenceEngine === "" ? {} : { engine: persistenceEngine }),
      },
    }),
    ...(service.onePacket ? { onePacket: true } : {}),
    healthCheck: "off",
    destinations: destinations.map((one) => destinationOf(one, it, file)),
    line,
  });
}

function destinationOf(
  { rule, line }: Rules["destinations"][number],
  it: Import,
  file: string,
): ImportedDestination {
  const { weight, method, upperThreshold, lowerThreshold, tunnel } = rule;
  if (tunnel.type !== "ipip") {
    it.warn(file, line, `tunnel ${tunnel.type}: a config knows plain IP-in-IP only`);
  }
  return {
    // Behind a mark a server without a port has port 0.
    address: rule.port === 0 ? String(rule.address) : formatEndpoint(rule),
    weight,
    method,
    ...(upperThreshold === 0 ? {} : { upperThreshold, lowerThreshold }),
    line,
  };
}
