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
  "quiescent",
]);
/** Of a virtual service, taken over. */
const TAKEN: ReadonlySet<string> = new Set([
  ...ABOUT_SERVICES,
  "real",
  "real6",
  "service",
  "scheduler",
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
  for (const [i, lineText] of text.split("\n").entries()) {
    if (/^\s*(#.*)?$/.test(lineText)) continue;
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
    const protocol = this.#value("protocol") ?? "tcp";
    const place = await this.#place(value, protocol, line);
    const fallback = this.#setting("fallback");
    const scheduler = this.#setting("scheduler");
    const [check, persistent, netmask] = [
      this.#check(place),
      this.#value("persistent"),
      this.#value("netmask"),
    ];
    this.#import.services.push({
      listen: place.mark === undefined ? `${place.listen}:${place.port}` : "off",
      ...(place.mark === undefined ? {} : { mark: place.mark }),
      protocol: protocol === "udp" ? "udp" : "tcp",
      scheduler: scheduler === undefined
        ? "wlc"
        : this.#import.scheduler(scheduler.value, this.#file, scheduler.line),
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

  /** Of the service, else of the whole file. */
  #setting(name: string): Setting | undefined {
    return [...this.#virtual.settings, ...this.#globals].find((one) => one.name === name);
  }

  #value(name: string): string | undefined {
    return this.#setting(name)?.value.replace(/^"(.*)"$/, "$1");
  }

  #seconds(name: string, byDefault: number): number {
    const text = this.#value(name) ?? "";
    return /^\d+$/.test(text) ? Number(text) : byDefault;
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

  /** `10.0.0.1[->10.0.0.9][:80] gate|masq|ipip [weight] ["request", "receive"]` */
  async #real(
    { value, line }: Setting,
    place: Place,
    protocol: string,
    check: ImportedCheck,
  ): Promise<ImportedDestination[]> {
    const [, target = "", way = "", weight = "1", request, receive] =
      /^(\S+)\s+(\w+)(?:\s+(\d+))?(?:\s+"([^"]*)"(?:\s*,\s*"([^"]*)")?)?\s*$/.exec(value) ?? [];
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
    const own = request === undefined || check === "off" ? {} : {
      healthCheck: { ...check, path: pathOf(request), ...(receive === undefined ? {} : { body: receive }) },
    };
    const wanted = isForced || port === "" ? place.port : port;
    return hosts(first, last).map((host) => ({
      address: place.mark !== undefined && wanted === "0" ? host : `${host}:${wanted}`,
      weight: Number(weight),
      method,
      ...own,
      line,
    }));
  }

  #check(place: Place): ImportedCheck {
    const type = this.#setting("checktype");
    const word = type?.value ?? "negotiate";
    const line = type?.line ?? this.#virtual.place.line;
    const timing = this.#timing();
    if (word === "on") return "off";
    if (word === "off") {
      this.#warn(line, "checktype=off: ldirectord takes every real server as down, lvsd as up");
      return "off";
    }
    if (word === "connect") return { type: "tcp", ...timing };
    if (word === "external") return this.#external(place, line, timing);
    if (word === "negotiate" || /^\d+$/.test(word)) {
      if (word !== "negotiate") {
        this.#warn(line, `checktype=${word}: every check is a negotiation, none a connect only`);
      }
      return this.#negotiation(place, line, timing);
    }
    this.#warn(line, `checktype=${word}: lvsd cannot check so; the check is off`);
    return "off";
  }

  #timing(): Record<string, unknown> {
    const port = this.#seconds("checkport", 0);
    return {
      interval: `${this.#seconds("checkinterval", 10)}s`,
      timeout: `${this.#seconds("negotiatetimeout", this.#seconds("checktimeout", 5))}s`,
      rise: 1,
      fall: Math.max(this.#seconds("failurecount", 1), 1),
      ...(port === 0 ? {} : { port }),
    };
  }

  #negotiation({ port }: Place, line: number, timing: Record<string, unknown>): ImportedCheck {
    const byPort: Readonly<Record<string, string>> = { "80": "http", "443": "https" };
    const service = this.#value("service") ?? byPort[port] ?? "none";
    if (service === "none") return { type: "tcp", ...timing };
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

  /** ldirectord passes VIP and port, then RIP and port; the latter are in the environment here. */
  #external({ listen, port }: Place, line: number, timing: Record<string, unknown>): ImportedCheck {
    const command = this.#value("checkcommand");
    if (command === undefined) {
      this.#warn(line, "checktype=external without checkcommand; the check is off");
      return "off";
    }
    this.#warn(
      line,
      "checkcommand: the real server is in LVSD_ADDRESS and LVSD_PORT, not in the third and fourth argument",
    );
    return { type: "exec", ...timing, command: [...command.split(/\s+/), listen, port] };
  }
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
