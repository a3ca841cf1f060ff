/**
 * Addresses in the YAML schema.
 *
 * @module
 */
import * as z from "zod";
import type { Endpoint } from "../net/endpoint.ts";
import { parseListen, parseServer, type ServerAddress } from "./address_text.ts";
import { reading } from "./fields.ts";
import { shown } from "./shown.ts";

/** Where to listen: an address, no host name, and a port. Port 0 takes any free one. */
export function listenAddress(example: string): z.ZodType<Endpoint, string> {
  return addressText(example).transform(reading(parseListen))
    .meta({ example, unit: "address:port" });
}

/** Where a real server is. */
export function serverAddress(example: string): z.ZodType<ServerAddress, string> {
  return addressText(example).transform(reading(parseServer))
    .meta({ example, unit: "address[:port]" });
}

function addressText(example: string): z.ZodString {
  return z.string({ error: ({ input }) => notAddress(input, example) });
}

/** What is wrong with something that stands where an address is wanted. */
export function notAddress(input: unknown, example: string): string {
  return typeof input === "number"
    ? `{key} ${input} is a number, not an address; write ":${input}" or "${example}"`
    : `{key} must be an address, not ${shown(input)}; write for example ${example}`;
}
