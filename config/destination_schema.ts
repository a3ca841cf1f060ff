/**
 * The YAML schema of one destination.
 *
 * @module
 */
import * as z from "zod";
import { serverAddress } from "./addresses.ts";
import { INT32_MAX, parseDestination } from "./destination_text.ts";
import { integer, notText, oneLine, reading, socketPath } from "./fields.ts";
import { healthCheck } from "./health_schema.ts";
import { either, section } from "./sections.ts";

const EXAMPLE = "127.0.0.1:3001";

/** A destination with keys. */
export const destinationSection = section({
  address: serverAddress(EXAMPLE).describe(
    "Address or host name of the real server; without a port it is the service's. Names are looked up again when their time to live is over.",
  ),
  name: oneLine("web-1", 64).optional().describe("Name on screen.").meta({ defaultText: "`address`" }),
  weight: integer(0, INT32_MAX).default(1)
    .describe("Share of new connections; 0 quiesces: no new connection, old ones live.")
    .meta({ example: 3 }),
  upperThreshold: integer(0, INT32_MAX).default(0)
    .describe("At so many connections it gets no new ones; 0 is off."),
  lowerThreshold: integer(0, INT32_MAX).default(0).describe(
    "Below so many connections it gets new ones again; 0 is three quarters of `upperThreshold`.",
  ),
  handOver: socketPath().optional().describe(
    "Mode dr on one host: Unix socket of `lvsd realserver --receive`, which gets the accepted sockets themselves, so that answers bypass the director. Linux, TCP only.",
  ).meta({ defaultText: "off", example: "/run/lvsd/web.sock" }),
  tunnelTo: section({
    port: integer(1, 65_535).describe("Port of the peer, at the destination's address."),
    keyFile: oneLine("/etc/lvsd/tunnel.key", 4_096).describe(
      "File of the shared key, mode 0600, 16 bytes or more.",
    ),
  }).optional().describe(
    "Mode tun by sockets: a tunnel socket of `lvsd realserver --tunnel` at the real server.",
  ).meta({ defaultText: "off", example: { port: 7_100, keyFile: "/etc/lvsd/tunnel.key" } }),
  healthCheck: healthCheck.optional()
    .describe("Replaces the service's check as a whole; `off`: always up.")
    .meta({ defaultText: "the service's check", example: "off" }),
}).describe("A real server.");

/** What both spellings give. */
export type WrittenDestination = z.output<typeof destinationSection>;

/** `127.0.0.1:3001` or `127.0.0.1:3001@3`. */
export const shortDestination = z.string({ error: ({ input }) => notText(input, EXAMPLE) })
  .transform(reading((text: string): WrittenDestination => parseDestination(text)))
  .meta({ example: `${EXAMPLE}@3`, unit: "address[:port][@weight]" });

/** A destination in either spelling. */
export const destination = either(`an address such as ${EXAMPLE}@3, or a mapping with the key address`, [
  shortDestination,
  destinationSection,
]);
