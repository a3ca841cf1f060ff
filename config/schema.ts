/**
 * The YAML schema of a config file, and the JSON Schema made from it for editors.
 *
 * @module
 */
import * as z from "zod";
import { listenAddress } from "./addresses.ts";
import { LOG_LEVELS } from "../hooks/rule.ts";
import { LIMITS } from "../limits.ts";
import { ADMIN_LISTEN, DRAIN, LOG, LOG_FORMATS, TIMEOUTS, WORKERS } from "./defaults.ts";
import { choice, duration, flag, integer, secret, socketPath } from "./fields.ts";
import { packetSection } from "./packet_schema.ts";
import { rulesSection } from "./rule_schema.ts";
import { either, list, mayBeEmpty, section, word } from "./sections.ts";
import { ipvs } from "./ipvs_schema.ts";
import { serviceSection } from "./service_schema.ts";

const admin = section({
  listen: either("an address such as 127.0.0.1:9180, or off", [
    word("off"),
    listenAddress("127.0.0.1:9180"),
  ]).prefault(ADMIN_LISTEN)
    .describe("Address of the admin API (HTTP), or `off`. One that is not loopback needs a `token`."),
  token: secret('"${LVSD_TOKEN}"').optional().describe("Bearer token that the admin API asks for.").meta({
    defaultText: "none",
  }),
  socket: either("a path, or off", [word("off"), socketPath()]).optional()
    .describe("Path of the control socket, or `off`.")
    .meta({
      example: "/run/lvsd/control.sock",
      defaultText:
        "`$LVSD_SOCKET`, else `/run/lvsd/control.sock` for root, else `$XDG_RUNTIME_DIR/lvsd/control.sock`, else in the temp directory",
    }),
});

const log = section({
  format: choice("log format", LOG_FORMATS).default(LOG.format).describe("Text for people, or JSON lines."),
  level: choice("log level", LOG_LEVELS).default(LOG.level)
    .describe("Least important records that are written."),
  connections: flag().default(LOG.connections).describe("One line for each ended connection."),
});

// `ipvsadm --set` counts in seconds, up to 31 days.
const seconds = duration({ least: "1s", most: "31d", wholeSeconds: true });
const timeouts = section({
  tcp: seconds.prefault(TIMEOUTS.tcp).describe("Quiet TCP connections."),
  tcpFin: seconds.prefault(TIMEOUTS.tcpFin).describe("TCP connections after a FIN."),
  udp: seconds.prefault(TIMEOUTS.udp).describe("Quiet UDP sessions."),
});

const drain = section({
  deadline: duration({ least: "0s" }).prefault(DRAIN.deadline)
    .describe("How long living connections may go on after SIGTERM."),
  spread: duration({ least: "0s" }).prefault(DRAIN.spread)
    .describe("Over how long the rest is reset, so that clients do not all come back at once."),
});

/** A whole config file. */
export const configSection = section({
  admin: mayBeEmpty(admin.prefault({})).describe("The admin API and the control socket."),
  log: mayBeEmpty(log.prefault({})).describe("What is logged, and how."),
  timeouts: mayBeEmpty(timeouts.prefault({})).describe(
    "Life of quiet connections, as `ipvsadm --set`; in whole seconds.",
  ),
  drain: mayBeEmpty(drain.prefault({})).describe("What SIGTERM does."),
  ipvs: mayBeEmpty(ipvs.prefault({})).describe(
    "The switches of `net.ipv4.vs.*`, under their kernel names; `lvsd sysctl` changes them while it runs.",
  ),
  workers: either("a number of threads such as 2, or auto", [word("auto"), integer(1, LIMITS.workers)])
    .prefault(WORKERS)
    .describe("Threads of the native engine. `auto` is one less than there are processors, 1 to 8."),
  packet: packetSection.optional().describe(
    "Interfaces of the packet engine, which forwards DR and TUN services (and NAT ones with `engine: packet`); Linux with CAP_NET_RAW.",
  ).meta({ defaultText: "none" }),
  rules: mayBeEmpty(rulesSection.prefault({})).describe(
    "Rule chains on the netfilter hooks, as iptables has them.",
  ),
  services: mayBeEmpty(list(serviceSection, "- listen: 127.0.0.1:8080").prefault([]))
    .describe("The virtual services."),
}, {
  listen: '"listen" belongs to a service (services: [{listen: ...}]) or to "admin"',
  destinations: '"destinations" belongs to a service',
}).meta({ title: "lvsd configuration" });

/** The sections of a config file by key, for reading one although another has mistakes. */
export const CONFIG_SECTIONS = { admin, log, timeouts, drain, ipvs } as const;

/** A config file as it was read: defaults filled in, except those that hang on other keys. */
export type WrittenConfig = z.output<typeof configSection>;

/** Name of the definition that stands for `${NAME}` in the JSON Schema. */
export const ENVIRONMENT_DEFINITION = "environment";

/** Kinds of values that an editor would not accept text for, although `${NAME}` may stand there. */
const NOT_TEXT: readonly unknown[] = ["integer", "number", "boolean"];

/**
 * JSON Schema (2020-12) of a config file. Wherever a value is not any text, `${NAME}` is allowed too.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(configJsonSchema()["title"], "lvsd configuration");
 * ```
 */
export function configJsonSchema(): Record<string, unknown> {
  const schema = plainJsonSchema();
  const definitions = schema["$defs"] as Record<string, unknown> | undefined;
  schema["$defs"] = {
    ...definitions,
    [ENVIRONMENT_DEFINITION]: {
      type: "string",
      pattern: "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}",
      description: "From the environment: ${NAME} or ${NAME:-default}.",
    },
  };
  return schema;
}

/** The same without `${NAME}`, with the words that the reference is made from (`unit`, `defaultText`, `example`). */
export function referenceJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSection, { io: "input", unrepresentable: "any" }) as Record<string, unknown>;
}

/** What the schema says for the reference only. */
const REFERENCE_KEYS: readonly string[] = ["example", "unit", "defaultText"];

function plainJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSection, {
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      if (jsonSchema["example"] !== undefined) jsonSchema.examples = [jsonSchema["example"]];
      for (const key of REFERENCE_KEYS) delete jsonSchema[key];
      const isClosed = NOT_TEXT.includes(jsonSchema.type) || jsonSchema.enum !== undefined ||
        (jsonSchema.type === "string" && jsonSchema.pattern !== undefined);
      if (!isClosed) return;
      const { description, default: byDefault, examples, ...kind } = jsonSchema;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      if (description !== undefined) jsonSchema.description = description;
      if (byDefault !== undefined) jsonSchema.default = byDefault;
      if (examples !== undefined) jsonSchema.examples = examples;
      jsonSchema.anyOf = [kind, { $ref: `#/$defs/${ENVIRONMENT_DEFINITION}` }];
    },
  }) as Record<string, unknown>;
}
