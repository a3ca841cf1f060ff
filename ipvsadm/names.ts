/**
 * Names of hosts and services, looked up as the real tool does through the C library. Passed in, so that a recording
 * can be replayed with the files of the host where it was made.
 *
 * @module
 */
import { type Family, IpAddress } from "../net/address.ts";

/** Protocols that have service names. */
export type ServiceProtocol = "tcp" | "udp" | "sctp";

/** Where names come from. */
export interface Names {
  /** First IPv4 address of a host. */
  addressOf(host: string): Promise<IpAddress | undefined>;
  hostOf(address: IpAddress): Promise<string | undefined>;
  portOf(service: string, protocol: ServiceProtocol): number | undefined;
  serviceOf(port: number, protocol: ServiceProtocol): string | undefined;
}

/** What is asked where the files know nothing: the resolver of the system. */
export type LookUp = Pick<Names, "addressOf" | "hostOf">;

/**
 * Names from the text of `/etc/hosts` and `/etc/services`, and from `behind` for hosts that are not there.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const names = new FileNames("10.2.0.1 rs1.example.net rs1\n", "http 80/tcp www # web\n");
 * assert.equal(String(await names.addressOf("rs1")), "10.2.0.1");
 * assert.equal(names.portOf("www", "tcp"), 80);
 * assert.equal(names.serviceOf(80, "udp"), undefined);
 * ```
 */
export class FileNames implements Names {
  readonly #addresses = new Map<string, IpAddress>();
  readonly #hosts = new Map<string, string>();
  readonly #ports = new Map<string, number>();
  readonly #services = new Map<string, string>();
  readonly #behind: LookUp | undefined;

  constructor(hosts: string, services: string, behind?: LookUp) {
    this.#behind = behind;
    for (const [text = "", ...names] of fields(hosts)) {
      const address = IpAddress.tryParse(text);
      if (address === undefined || names[0] === undefined) continue;
      keepFirst(this.#hosts, String(address), names[0]);
      if (address.family === 4) {
        for (const name of names) keepFirst(this.#addresses, name.toLowerCase(), address);
      }
    }
    for (const [name = "", place = "", ...aliases] of fields(services)) {
      const [, port, protocol] = /^(\d+)\/(\w+)$/.exec(place) ?? [];
      if (port === undefined) continue;
      keepFirst(this.#services, `${Number(port)}/${protocol}`, name);
      for (const it of [name, ...aliases]) keepFirst(this.#ports, `${it}/${protocol}`, Number(port));
    }
  }

  async addressOf(host: string): Promise<IpAddress | undefined> {
    return this.#addresses.get(host.toLowerCase()) ?? await this.#behind?.addressOf(host);
  }

  async hostOf(address: IpAddress): Promise<string | undefined> {
    return this.#hosts.get(String(address)) ?? await this.#behind?.hostOf(address);
  }

  portOf(service: string, protocol: ServiceProtocol): number | undefined {
    return this.#ports.get(`${service}/${protocol}`);
  }

  serviceOf(port: number, protocol: ServiceProtocol): string | undefined {
    return this.#services.get(`${port}/${protocol}`);
  }
}

/** Only numbers: `-n`. */
export const NO_NAMES: Names = {
  addressOf: () => Promise.resolve(undefined),
  hostOf: () => Promise.resolve(undefined),
  portOf: () => undefined,
  serviceOf: () => undefined,
};

/** `10.0.0.1`, or `[2001:db8::1]` for IPv6. */
export function bracketed(family: Family, host: string): string {
  return family === 6 ? `[${host}]` : host;
}

function* fields(text: string): Generator<string[]> {
  for (const line of text.split("\n")) {
    const parts = (line.split("#", 1)[0] ?? "").split(/\s+/).filter((it) => it !== "");
    if (parts.length > 0) yield parts;
  }
}

function keepFirst<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (!map.has(key)) map.set(key, value);
}
