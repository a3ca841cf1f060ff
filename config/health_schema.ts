/**
 * The YAML schema of health checks.
 *
 * @module
 */
import * as z from "zod";
import { ValueError } from "../errors.ts";
import { hexBytes, textBytes } from "./bytes.ts";
import { choice, duration, flag, integer, oneLine, pattern, reading, text } from "./fields.ts";
import { suggestion } from "./nearest.ts";
import { either, list, section, word } from "./sections.ts";
import { shown } from "./shown.ts";

/** Shorter and the check itself would be the load. */
const LEAST = "10ms";

const timing = {
  interval: duration({ least: LEAST }).prefault("2s").describe("Time between two checks."),
  fastInterval: duration({ least: LEAST }).optional()
    .describe("Time between two checks while a change of state is being confirmed.")
    .meta({ defaultText: "the shorter of `interval` and `500ms`" }),
  downInterval: duration({ least: LEAST }).optional()
    .describe("Time between two checks while the destination is down.")
    .meta({ defaultText: "`interval`" }),
  timeout: duration({ least: LEAST }).prefault("1s")
    .describe("A check that has no result by then has failed."),
  rise: integer(1, 100).default(2).describe("Successes in a row that bring a destination up."),
  fall: integer(1, 100).default(3).describe("Failures in a row that take a destination down."),
  initialState: choice("initialState", ["up", "down"]).default("up")
    .describe("State before the first result."),
  port: integer(1, 65_535).optional().describe("Port to check instead of the destination's own.")
    .meta({ defaultText: "the destination's port", example: 8081 }),
};

const through = {
  through: choice("through", ["address", "path"]).optional()
    .describe(
      "Way of the check: `address` is the server's own address and port; `path` is that of clients' packets (DR and TUN with the packet engine).",
    ).meta({ defaultText: "`address`", example: "path" }),
};

/** A status code or a range of them; both ends inclusive. */
const statusRange = z.string({
  error: ({ input }) => `{key} must be a code or a range, not ${shown(input)}; write 200 or 200-399`,
})
  .transform(reading(parseRange)).meta({
    pattern: "^[1-5]\\d\\d(-[1-5]\\d\\d)?$",
    unit: "status code or range",
  });
const statusCode = integer(100, 599).transform((code) => ({ from: code, to: code }));
const statusItem = either("a status code or a range; write 200 or 200-399", [statusCode, statusRange]);

const http = {
  path: text("/").refine((it) => /^\/[\x21-\x7e]*$/.test(it), {
    error: ({ input }) =>
      `{key} ${shown(input)} must start with / and have no spaces; write for example /health`,
  }).default("/").describe("Path to ask for, query included."),
  method: choice("method", ["GET", "HEAD", "OPTIONS", "POST"]).default("GET").describe("HTTP method."),
  host: oneLine("www.example.com").refine((it) => /^[\x21-\x2e\x30-\x7e]*$/.test(it), {
    error: ({ input }) =>
      `{key} ${
        shown(input)
      } is no Host header; write a name (xn--... if it has other letters) or an address, with a port if need be`,
  }).optional().describe("Host header.").meta({ defaultText: "the destination's address and port" }),
  headers: z.record(z.string(), oneLine("text", 8_192), {
    error: ({ input }) =>
      `{key} must be a mapping of header names to text, not ${
        shown(input)
      }; write for example {X-Check: lvsd}`,
  }).transform(reading(checkHeaderNames)).prefault({}).describe("More request headers.").meta({
    example: { "X-Check": "lvsd" },
  }),
  status: either("a list of status codes and ranges; write [200-399]", [
    list(statusItem, "[200-399]").min(1, { error: "{key} is empty: no answer could ever be right" }),
    statusItem.transform((range) => [range]),
  ]).prefault(["200-399"]).describe("Status codes that mean up.")
    .meta({ unit: "list of codes and ranges" }),
  body: pattern("ok").optional()
    .describe("Regular expression that the body must match.").meta({ defaultText: "any body" }),
};

const tls = {
  verify: flag().default(false)
    .describe("Check the server's certificate against the system's authorities."),
  serverName: oneLine("www.example.com").optional()
    .describe("Name asked for in the TLS handshake (SNI) and looked for in the certificate.")
    .meta({ defaultText: "the name in `host`, if any" }),
};

const hex = hexBytes().describe("The bytes as hexadecimal digits, two for each.");
const udp = {
  send: either("text or {hex: ...}", [
    textBytes("ping"),
    section({ hex }).transform((it) => it.hex),
  ]).prefault("").describe("Datagram to send: text, or `{hex: 0a 1b}`.").meta({ example: "ping" }),
  expect: either("text, {hex: ...} or {regex: ...}", [
    textBytes("pong"),
    section({
      hex: hex.optional(),
      regex: pattern("^pong").optional().describe("Regular expression that the answer must match."),
    }).transform(reading(oneOfHexAndRegex)),
  ]).optional()
    .describe("What the answer must contain: text, `{hex: 0a 1b}` or `{regex: ^pong}`.")
    .meta({ defaultText: "no answer is needed", example: "pong" }),
};

const exec = {
  command: list(text("/usr/bin/true"), "[program, argument]; there is no shell")
    .min(1, { error: "{key} is empty; write [program, argument]" })
    .describe("Program and arguments, run without a shell. Exit code 0 means up.")
    .meta({ example: ["/usr/local/bin/check-db", "--quick"] }),
  environment: z.record(z.string(), text("value"), {
    error: ({ input }) => `{key} must be a mapping of names to text, not ${shown(input)}`,
  }).default({}).describe(
    "More environment variables; LVSD_ADDRESS and LVSD_PORT are always set.",
  ).meta({ example: { PGUSER: "check" } }),
};

/** Keys of each type besides the timing, for the advice that a misplaced key gets. */
const OWN_KEYS = {
  tcp: through,
  http: { ...http, ...through },
  https: { ...http, ...tls },
  udp: { ...udp, ...through },
  exec,
} as const;
type CheckType = keyof typeof OWN_KEYS;

/** Names of the check types. */
export const CHECK_TYPES: readonly CheckType[] = ["tcp", "http", "https", "udp", "exec"];

const check = z.discriminatedUnion("type", [
  section({ type: z.literal("tcp"), ...timing, ...through }, elsewhere("tcp")).describe(
    "Opens a TCP connection.",
  ),
  section({ type: z.literal("http"), ...timing, ...http, ...through }, elsewhere("http"))
    .describe("Asks for a page over HTTP/1.1."),
  section({ type: z.literal("https"), ...timing, ...http, ...tls }, elsewhere("https"))
    .describe("The same over TLS."),
  section({ type: z.literal("udp"), ...timing, ...udp, ...through }, elsewhere("udp"))
    .describe("Sends a datagram; a closed port, or a missing or wrong expected answer, is a failure."),
  section({ type: z.literal("exec"), ...timing, ...exec }, elsewhere("exec"))
    .describe("Runs a program."),
], {
  error: (issue) => {
    const names = CHECK_TYPES.join(", ");
    if (issue.code !== "invalid_union") {
      return `{key} ${shown(issue.input)} is no check; write {type: tcp} or off`;
    }
    const type = (issue.input as { type?: unknown } | undefined)?.type;
    const hint = typeof type === "string" ? suggestion(type, CHECK_TYPES) : "";
    return `unknown check type ${shown(type)}; allowed: ${names}${hint}`;
  },
}).meta({ id: "healthCheck" });

/** A health check, or `off`. */
export const healthCheck = either("off or a check such as {type: tcp}", [word("off"), check]);

/** A health check that was read and has its defaults, but not those that hang on other keys. */
export type WrittenCheck = z.output<typeof check>;

function elsewhere(type: CheckType): Record<string, string> {
  const advice: Record<string, string> = {};
  for (const [other, keys] of Object.entries(OWN_KEYS)) {
    for (const key of Object.keys(keys)) {
      if (key in OWN_KEYS[type]) continue;
      const before = advice[key];
      advice[key] = before === undefined
        ? `the check type ${type} has no "${key}"; it belongs to type ${other}`
        : `${before} or ${other}`;
    }
  }
  return advice;
}

function parseRange(written: string): { from: number; to: number } {
  const match = /^\s*(\d{3})\s*(?:-\s*(\d{3})\s*)?$/.exec(written);
  const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || from < 100 || to > 599) {
    throw new ValueError(
      "STATUS_INVALID",
      `${shown(written)} is not a status code (100 to 599) or a range; write 200 or 200-399`,
    );
  }
  if (to < from) {
    throw new ValueError("STATUS_INVALID", `${shown(written)} runs backwards; write ${to}-${from}`);
  }
  return { from, to };
}

function checkHeaderNames(headers: Record<string, string>): Record<string, string> {
  for (const name of Object.keys(headers)) {
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) continue;
    throw new ValueError("HEADER_INVALID", `has ${shown(name)}, which is not a header name`);
  }
  return headers;
}

function oneOfHexAndRegex(
  { hex, regex }: { hex?: Uint8Array | undefined; regex?: RegExp | undefined },
): Uint8Array | RegExp {
  if (hex !== undefined && regex !== undefined) {
    throw new ValueError("EXPECT_INVALID", "has both hex and regex; one of them is wanted");
  }
  const expected = hex ?? regex;
  if (expected === undefined) {
    throw new ValueError("EXPECT_INVALID", "is empty; write text, {hex: ...} or {regex: ...}");
  }
  return expected;
}
