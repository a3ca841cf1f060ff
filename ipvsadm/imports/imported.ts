/**
 * What an import makes of another program's file: services in the words of an lvsd config, and a warning for each line
 * that has no counterpart.
 *
 * @module
 */
import { stringify } from "yaml";
import type { ForwardingMethodName } from "../../modes/rules.ts";
import { SCHEDULER_NAMES } from "../../schedulers/registry.ts";

/** A line that could not be taken over as it is. */
export interface ImportWarning {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** A health check in the words of a config; `off` for none. */
export type ImportedCheck = "off" | Readonly<Record<string, unknown>>;

export interface ImportedDestination {
  /** `10.0.0.2:8080` */
  readonly address: string;
  readonly weight: number;
  readonly method: ForwardingMethodName;
  readonly upperThreshold?: number;
  readonly lowerThreshold?: number;
  readonly healthCheck?: ImportedCheck;
  /** Where it stands. */
  readonly line: number;
}

export interface ImportedService {
  /** `10.0.0.1:80`, `off` for a mark. */
  readonly listen: string;
  readonly mark?: number;
  readonly protocol: "tcp" | "udp";
  readonly scheduler: string;
  readonly flags?: readonly string[];
  readonly persistence?: Readonly<Record<string, unknown>>;
  readonly onePacket?: boolean;
  readonly sorryServer?: string;
  readonly onDown?: "quiesce" | "remove";
  readonly healthCheck: ImportedCheck;
  readonly destinations: readonly ImportedDestination[];
  readonly line: number;
}

/** Time-outs of `ipvsadm --set`, seconds. */
export type ImportedTimeouts = { readonly [name in "tcp" | "tcpFin" | "udp"]?: number };

/** Collects what a file gives. */
export class Import {
  readonly services: ImportedService[] = [];
  readonly warnings: ImportWarning[] = [];
  timeouts: ImportedTimeouts = {};
  readonly #told = new Set<string>();

  /** Once for each line, however many services come of it. */
  warn(file: string, line: number, message: string): void {
    const place = `${file}:${line}: ${message}`;
    if (this.#told.has(place)) return;
    this.#told.add(place);
    this.warnings.push({ file, line, message });
  }

  /** A scheduler that lvsd has, with a warning for one that it does not have. */
  scheduler(name: string, file: string, line: number): string {
    if (SCHEDULER_NAMES.includes(name)) return name;
    this.warn(file, line, `there is no scheduler ${name}; wlc is used in its place`);
    return "wlc";
  }
}

/** YAML of an import; `source` is named in its first line. */
export function importedText(it: Import, source: string): string {
  const services = it.services.map((service) => serviceSection(service, it, source));
  const timeouts = Object.entries(it.timeouts).map(([name, seconds]) => [name, `${seconds}s`]);
  const document = {
    ...(timeouts.length === 0 ? {} : { timeouts: Object.fromEntries(timeouts) }),
    services,
  };
  return `# Made by lvsd import from ${source}\n${
    stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })
  }`;
}

/** Passive health is off: none of the imported programs has it. */
function serviceSection(service: ImportedService, all: Import, file: string): Record<string, unknown> {
  const { destinations, line: _line, flags, ...rest } = service;
  const mode = commonMethod(destinations);
  return {
    ...defined(rest),
    ...(flags === undefined || flags.length === 0 ? {} : { flags }),
    mode,
    passive: "off",
    destinations: destinations.map(({ line, method, ...destination }) => {
      if (method !== mode) {
        all.warn(
          file,
          line,
          `forwarding method ${method}: the others of its service have ${mode}, and so has it now`,
        );
      }
      return defined(destination);
    }),
  };
}

/** A config has one method for a service: the one most destinations have. */
function commonMethod(destinations: readonly ImportedDestination[]): ForwardingMethodName {
  const count = (method: ForwardingMethodName) => destinations.filter((it) => it.method === method).length;
  return (["nat", "dr", "tun"] as const).toSorted((a, b) => count(b) - count(a))[0] ?? "nat";
}

function defined(values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
