/**
 * A configuration from command-line options: the one-liner without a file.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { defined } from "./defined.ts";
import type { Mistake } from "./mistakes.ts";
import type { Config } from "./model.ts";
import { type PlainConfig, rightConfig } from "./right_options.ts";

/** What may be said on the command line; texts as a config file has them. */
export interface ConfigOptions {
  /** Addresses to listen on. */
  readonly tcp: readonly string[];
  readonly udp: readonly string[];
  /** Real servers, comma-separated, each with an optional `@weight`; every service gets them all. */
  readonly to: readonly string[];
  readonly scheduler?: string;
  /** Address of the admin API, or `off`. */
  readonly admin?: string;
  readonly logFormat?: string;
  readonly logLevel?: string;
}

/**
 * Reads the options as the config file that says the same. Without any address to listen on there are no services.
 *
 * @throws {UsageError} `OPTIONS_INVALID` with every mistake, each with its option
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const config = await configFromOptions({ tcp: [":8080"], udp: [], to: ["127.0.0.1:3001,127.0.0.1:3002@3"] });
 * assert.deepEqual(config.services[0]?.destinations.map((it) => it.weight), [1, 3]);
 * ```
 */
export async function configFromOptions(options: ConfigOptions): Promise<Config> {
  const plain = plainConfig(options);
  const config = rightConfig(plain);
  if (config !== undefined) return config;
  const { validate } = await import("./validate.ts");
  const validated = validate(plain, "");
  if ("config" in validated) return validated.config;
  const lines = validated.mistakes.map((it) => `${optionOf(it, options.tcp.length)}: ${it.message}`);
  // The services share their destinations and their scheduler, and so these mistakes.
  throw invalid([...new Set(lines)]);
}

/** What a file would say. */
function plainConfig({ tcp, udp, to, scheduler, admin, logFormat, logLevel }: ConfigOptions): PlainConfig {
  const destinations = to.flatMap((it) => it.split(",")).map((it) => it.trim()).filter((it) => it !== "");
  const isEmpty = tcp.length + udp.length === 0;
  if (isEmpty && (destinations.length > 0 || scheduler !== undefined)) {
    throw invalid(["--tcp or --udp is missing: name an address to listen on, as --tcp :8080"]);
  }
  if (!isEmpty && destinations.length === 0) {
    throw invalid(["--to is missing: name the real servers, as --to 127.0.0.1:3001,127.0.0.1:3002@3"]);
  }
  const service = (protocol: "tcp" | "udp") => (listen: string) =>
    defined({ listen, protocol, destinations, scheduler });
  return {
    admin: defined({ listen: admin }),
    log: defined({ format: logFormat, level: logLevel }),
    services: [...tcp.map(service("tcp")), ...udp.map(service("udp"))],
  };
}

/** Names of the options, by the place in a file that says the same. */
const OPTION_OF_KEY: Readonly<Record<string, string>> = {
  destinations: "--to",
  scheduler: "--scheduler",
  listen: "--admin",
  format: "--log",
  level: "--log-level",
};

function optionOf({ path: [section, first, second] }: Mistake, tcpServices: number): string {
  const key = section === "services" ? second : first;
  if (section === "services" && key === "listen") return Number(first) < tcpServices ? "--tcp" : "--udp";
  return OPTION_OF_KEY[String(key)] ?? "options";
}

function invalid(lines: readonly string[]): UsageError {
  return new UsageError("OPTIONS_INVALID", lines.join("\n"), { problems: lines.length });
}
