/**
 * ldirectord.cf as a config.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import type { ForwardingMethodName } from "../../modes/rules.ts";
import { IpAddress } from "../../net/address.ts";
import type { Names } from "../names.ts";
import { Import, type ImportedCheck, type ImportedDestination } from "./imported.ts";

const METHODS: Readonly<Record<string, ForwardingMethodName>> = { gate: "dr", masq: "nat", ipip: "tun" };
/** Of the program as a whole; what is about the service is a default for each. */
const ABOUT_SERVICES: ReadonlySet<string> = new Set([
  "checktimeout",
  "negotiatetimeout",
  "checkinterval",
  "failurecount",
  "checkcount",
  "fallback",
  "fallback6",
  "quiescent",
]);
/** Of a virtual service, taken over. */
const TAKEN: ReadonlySet<string> = new Set([
  ...ABOUT_SERVICES,
  "real",
  "real6",
  "service",
  "scheduler",
  "schedflags",
  "persistent",
  "netmask",
  "protocol",
  "request",
  "receive",
  "httpmethod",
  "virtualhost",
  "checktype",
  "checkport",
  "checkcommand",
  "ops",
]);
const HTTP_SERVICES: readonly string[] = ["http", "https"];
/** ldirectord's service of a port; of others it is `none`. */
const SERVICE_BY_PORT: Readonly<Record<string, string>> = {
  "21": "ftp",
  "25": "smtp",
  "53": "dns",
  "80": "http",
  "110": "pop",
  "119": "nntp",
  "143": "imap",
  "389": "ldap",
  "443": "https",
  "587": "submission",
  "636": "ldaps",
  "993": "imaps",
  "995": "pops",
  "1521": "oracle",
  "1812": "radius",
  "3128": "http_proxy",
  "3306": "mysql",
  "5060": "sip",
  "5432": "pgsql",
};
const DNS_PORT = "53";
/** Seconds. */
const DEFAULTS = { interval: 10, checkTimeout: 5, negotiateTimeout: 30 } as const;

/** `name = value` with its place. */
interface Setting {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

interface Virtual {
  readonly place: Setting;
  readonly settings: Setting[];
}

/** Place of a virtual service. */
interface Place {
  readonly listen: string;
  readonly port: string;
  readonly mark?: number;
}

/**
 * Reads the file.
 *
 * @param names for ports and hosts that are written by name
 * @throws {ValueError} `IMPORT_INVALID`: a line that is no setting
 */
export async function importLdirectord(text: string, file: string, names: Names): Promise<Import> {
  const it = new Import();
  const { globals, virtuals } = readSettings(text, file);
  for (const { name, line } of globals) {
    if (!ABOUT_SERVICES.has(name)) it.warn(file, line, `${name} has no counterpart; left out`);
  }
  for (const virtual of virtuals) await new Reader(virtual, globals, file, names, it).take();
  return it;
}

function readSettings(text: string, file: string): { globals: Setting[]; virtuals: Virtual[] } {
  const globals: Setting[] = [];
  const virtuals: Virtual[] = [];
  for (const [i, whole] of text.split("\n").entries()) {
    // In quotes too, as ldirectord does it.
    const lineText = whole.replace(/#.*/, "");
    if (lineText.trim() === "") continue;
    const [, indent, name = "", value = ""] = /^(\s*)(\w+)\s*=\s*(.*?)\s*$/.exec(lineText) ?? [];
    if (indent === undefined) {
      throw new ValueError("IMPORT_INVALID", `${file}:${i + 1}: not a setting: ${lineText.trim()}`, { file });
    }
    const setting = { name: name.toLowerCase(), value, line: i + 1 };
    const last = virtuals.at(-1);
    if (/^virtual6?$/.test(setting.name)) virtuals.push({ place: setting, settings: [] });
    else if (indent !== "" && last !== undefined) last.settings.push(setting);
    else globals.push(setting);
  }
  return { globals, virtuals };
}

class Reader {
  readonly #virtual: Virtual;
  readonly #globals: readonly Setting[];
  readonly #file: string;
  readonly #names: Names;
  readonly #import: Import;

  constructor(virtual: Virtual, globals: readonly Setting[], file: string, names: Names, it: Import) {
    this.#virtual = virtual;
    this.#globals = globals;
    this.#file = file;
    this.#names = names;
    this.#import = it;
  }

  async take(): Promise<void> {
    const { place: { value, line }, settings } = this.#virtual;
    for (const { name, line } of settings) {
      if (!TAKEN.has(name)) this.#warn(line, `${name} has no counterpart; left out`);
    }
    const protocol = this.#value("protocol") ?? (value.endsWith(`:${DNS_PORT}`) ? "udp" : "tcp");
    const place = await this.#place(value, protocol, line);
    if (place.mark === undefined && Number(place.port) === 0) {
      this.#warn(
        line,
        `virtual: a config has no service on all ports of ${place.listen}; left out, lvsd ipvsadm takes it`,
      );
      return;
    }
    const fallback = this.#setting(this.#virtual.place.name === "virtual6" ? "fallback6" : "fallback");
    const flags = this.#value("schedflags")?.split(",").map((it) => it.trim());
    const scheduler = this.#setting("scheduler");
    const [check, persistent, netmask] = [
      this.#check(place, protocol),
      this.#value("persistent"),
      this.#value("netmask"),
    ];
    this.#import.services.push({
      listen: place.mark === undefined ? `${place.listen}:${place.port}` : "off",
      ...(place.mark === undefined ? {} : { mark: place.mark }),
      protocol: protocol === "udp" ? "udp" : "tcp",
      scheduler: scheduler === undefined
        ? "wrr"
        : this.#import.scheduler(scheduler.value, this.#file, scheduler.line),
      ...(flags === undefined ? {} : { flags }),
      ...(persistent === undefined ? {} : {
        persistence: {
          timeout: `${persistent}s`,
          ...(netmask === undefined ? {} : { netmask: /^\d+$/.test(netmask) ? Number(netmask) : netmask }),
        },
      }),
      ...(this.#value("ops") === "yes" ? { onePacket: true } : {}),
      ...(fallback === undefined ? {} : { sorryServer: await this.#fallback(fallback, place, protocol) }),
      onDown: this.#value("quiescent") === "no" ? "remove" : "quiesce",
      healthCheck: check,
      destinations: await this.#destinations(place, protocol, check),
      line,
    });
  }

  #warn(line: number, message: string): void {
    this.#import.warn(this.#file, line, message);
  }

  /** Of the service, else of the whole file; the last one counts. */
  #setting(name: string): Setting | undefined {
    return [...this.#globals, ...this.#virtual.settings].findLast((one) => one.name === name);
  }

  #value(name: string): string | undefined {
    return this.#setting(name)?.value.replace(/^"(.*)"$/, "$1");
  }

  /** -1 says nothing, as in ldirectord. */
  #number(name: string): number | undefined {
    const text = this.#value(name) ?? "";
    return /^\d+$/.test(text) ? Number(text) : undefined;
  }

  async #place(text: string, protocol: string, line: number): Promise<Place> {
    if (/^\d+$/.test(text)) {
      this.#warn(line, `mark ${text}: name the addresses that feed it in listen, or add MARK rules`);
      return { listen: "off", port: "0", mark: Number(text) };
    }
    const { host, port } = await this.#endpoint(text, protocol);
    return { listen: host, port };
  }

  /** Host in brackets if it needs them, and port as a number; a name of a host becomes its address. */
  async #endpoint(text: string, protocol: string): Promise<{ host: string; port: string }> {
    const [, bracketed, plain, port = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? [];
    const name = protocol === "udp" ? "udp" : "tcp";
    const number = /^\d*$/.test(port) ? port : String(this.#names.portOf(port, name) ?? port);
    if (bracketed !== undefined) return { host: `[${bracketed}]`, port: number };
    const known = plain === undefined || IpAddress.tryParse(plain) !== undefined
      ? undefined
      : await this.#names.addressOf(plain);
    return { host: known === undefined ? plain ?? text : String(known), port: number };
  }

  async #fallback({ value }: Setting, place: Place, protocol: string): Promise<string> {
    const [target = ""] = value.split(/\s+/);
    const { host, port } = await this.#endpoint(target, protocol);
    return `${host}:${port === "" ? place.port : port}`;
  }

  async #destinations(place: Place, protocol: string, check: ImportedCheck): Promise<ImportedDestination[]> {
    const found = await Promise.all(
      this.#virtual.settings.filter((one) => /^real6?$/.test(one.name))
        .map((one) => this.#real(one, place, protocol, check)),
    );
    return found.flat();
  }

  /** `10.0.0.1[->10.0.0.9][:80] gate|masq|ipip [weight] ["request", "receive"] [l:LOWER] [u:UPPER]` */
  async #real(
    { value, line }: Setting,
    place: Place,
    protocol: string,
    check: ImportedCheck,
  ): Promise<ImportedDestination[]> {
    const [rest, lower, upper] = thresholdsOf(value);
    const [, target = "", way = "", weight = "1", request, receive] =
      /^(\S+)\s+(\w+)(?:\s+(\d+))?(?:\s+"([^"]*)"(?:\s*,\s*"([^"]*)")?)?\s*$/.exec(rest) ?? [];
    const method = METHODS[way];
    if (method === undefined) {
      this.#warn(line, `real: ${value} is not understood; left out`);
      return [];
    }
    const [, first = "", last, portText = ""] =
      /^(\[[^\]]*\]|[^:\->]+)(?:->([^:]+))?(?::(.*))?$/.exec(target) ?? [];
    const { port } = await this.#endpoint(`x:${portText}`, protocol);
    const isForced = method !== "nat" && place.mark === undefined && port !== "" && port !== place.port;
    if (isForced) this.#warn(line, `real: with ${way} the port is the service's, ${place.port}`);
    // Only a dialogue has a request.
    const hasDialogue = check !== "off" && HTTP_SERVICES.includes(String(check.type));
    const own = request === undefined || !hasDialogue ? {} : {
      healthCheck: { ...check, path: pathOf(request), ...(receive === undefined ? {} : { body: receive }) },
    };
    const wanted = isForced || port === "" ? place.port : port;
    return hosts(first, last).map((host) => ({
      address: place.mark !== undefined && wanted === "0" ? host : `${host}:${wanted}`,
      weight: Number(weight),
      method,
      ...(upper === undefined ? {} : { upperThreshold: upper, lowerThreshold: lower ?? 0 }),
      ...own,
      line,
    }));
  }

  #check(place: Place, protocol: string): ImportedCheck {
    const type = this.#setting("checktype");
    const word = type?.value ?? "negotiate";
    const line = type?.line ?? this.#virtual.place.line;
    if (word === "on") return "off";
    if (word === "off") {
      this.#warn(line, "checktype=off: ldirectord takes every real server as down, lvsd as up");
      return "off";
    }
    const [check, negotiation] = [this.#number("checktimeout"), this.#number("negotiatetimeout")];
    const timing = this.#timing(check ?? negotiation ?? DEFAULTS.checkTimeout);
    if (word === "connect") {
      if (protocol !== "udp") return { type: "tcp", ...timing };
      this.#warn(
        line,
        "checktype=connect: ldirectord pings the servers of UDP, lvsd cannot; the check is off",
      );
      return "off";
    }
    if (word === "external") return this.#external(place, line, timing);
    if (word === "negotiate" || /^\d+$/.test(word)) {
      if (word !== "negotiate") {
        this.#warn(line, `checktype=${word}: every check is a negotiation, none a connect only`);
      }
      return this.#negotiation(
        place,
        line,
        this.#timing(negotiation ?? check ?? DEFAULTS.negotiateTimeout),
      );
    }
    this.#warn(line, `checktype=${word}: lvsd cannot check so; the check is off`);
    return "off";
  }

  #timing(timeout: number): Record<string, unknown> {
    const port = this.#number("checkport") ?? 0;
    return {
      interval: `${this.#number("checkinterval") ?? DEFAULTS.interval}s`,
      timeout: `${timeout}s`,
      rise: 1,
      fall: Math.max(this.#number("failurecount") ?? 1, 1),
      ...(port === 0 ? {} : { port }),
    };
  }

  #negotiation({ port }: Place, line: number, timing: Record<string, unknown>): ImportedCheck {
    const service = this.#value("service") ?? SERVICE_BY_PORT[port] ?? "none";
    // Nothing is asked: the server is up.
    if (service === "none") return "off";
    if (!HTTP_SERVICES.includes(service)) {
      this.#warn(
        this.#setting("service")?.line ?? line,
        `service=${service}: lvsd cannot talk it; the check is off`,
      );
      return "off";
    }
    const [host, receive, method] = [
      this.#value("virtualhost"),
      this.#value("receive"),
      this.#value("httpmethod"),
    ];
    return {
      type: service,
      ...timing,
      path: pathOf(this.#value("request") ?? ""),
      ...(host === undefined ? {} : { host }),
      ...(method === undefined ? {} : { method: method.toUpperCase() }),
      status: ["200-299"],
      ...(receive === undefined ? {} : { body: receive }),
    };
  }

  /** ldirectord passes VIP (or the mark) and port, then RIP and port; the latter are in the environment here. */
  #external({ listen, port, mark }: Place, line: number, timing: Record<string, unknown>): ImportedCheck {
    const command = this.#value("checkcommand");
    if (command === undefined) {
      this.#warn(line, "checktype=external without checkcommand; the check is off");
      return "off";
    }
    this.#warn(
      line,
      "checkcommand: the real server is in LVSD_ADDRESS and LVSD_PORT, not in the third and fourth argument",
    );
    const virtual = mark === undefined ? listen : String(mark);
    return { type: "exec", ...timing, command: [...command.split(/\s+/), virtual, port] };
  }
}

/** The thresholds at the end of a real server's line, and what is before them. */
function thresholdsOf(value: string): [rest: string, lower: number | undefined, upper: number | undefined] {
  const [, rest = value, lower, upper] = /^(.*?)(?:\s+"?l:(\d+)"?)?(?:\s+"?u:(\d+)"?)?\s*$/.exec(value) ?? [];
  const number = (text: string | undefined) => text === undefined ? undefined : Number(text);
  return [rest, number(lower), number(upper)];
}

function pathOf(request: string): string {
  const path = request.replace(/^https?:\/\/[^/]*/, "");
  return path.startsWith("/") ? path : `/${path}`;
}

/** One host, or all of a range of IPv4 addresses. */
function hosts(first: string, last: string | undefined): string[] {
  const [from, to] = [IpAddress.tryParse(first), IpAddress.tryParse(last ?? first)];
  if (from?.family !== 4 || to?.family !== 4) return [first];
  const [low = 0, high = 0] = [from.words[0], to.words[0]];
  return Array.from(
    { length: Math.max(0, Math.min(high - low + 1, 65_536)) },
    (_, i) => String(IpAddress.ipv4(low + i)),
  );
}
