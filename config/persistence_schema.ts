/**
 * The YAML schema of persistence.
 *
 * @module
 */
import * as z from "zod";
import { ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { missingUnit } from "./duration.ts";
import { choice, duration, integer, reading } from "./fields.ts";
import { either, section } from "./sections.ts";
import { shown } from "./shown.ts";

/** A netmask that was read: dotted masks are IPv4's. */
export interface Netmask {
  readonly prefixLength: number;
  readonly dotted: boolean;
}

// ipvsadm allows 1 to 2,678,400 s.
const timeout = duration({ least: "1s", most: "31d", wholeSeconds: true });

const dottedMask = z.string({
  error: ({ input }) => `{key} must be a mask or a number of bits, not ${shown(input)}`,
}).transform(reading(parseMask)).meta({ example: "255.255.255.0", unit: "netmask" });

const bits = integer(0, 128).transform((prefixLength): Netmask => ({ prefixLength, dotted: false }));

const netmask = either("a netmask; write 255.255.255.0 or a number of bits", [dottedMask, bits]);

/** A duration, or the duration and the netmask. */
export const persistence = z.union([
  timeout.transform((
    timeoutMs,
  ): { timeout: number; netmask?: Netmask | undefined; engine?: "sip" | undefined } => ({
    timeout: timeoutMs,
  })),
  section({
    // As `ipvsadm -p` without a number.
    timeout: timeout.prefault("6m")
      .describe("How long after a client's last new connection its next one goes to the same destination."),
    netmask: netmask.optional()
      .describe(
        "Bits of the client address that count: `255.255.255.0` or `24` keep a whole network together.",
      )
      .meta({ defaultText: "the whole address" }),
    engine: choice("persistence engine", ["sip"]).optional().describe(
      "`sip`: each call of a client, by its Call-ID, has a destination of its own. Datagrams that are not SIP are dropped. A call that a real server begins is one too (packet engine, NAT). UDP only.",
    ).meta({ defaultText: "none" }),
  }),
], {
  error: ({ input }) =>
    typeof input === "number"
      ? `{key} ${missingUnit(input)}`
      : `{key} ${shown(input)} is not a duration such as 5m, or a mapping with timeout and netmask`,
});

function parseMask(text: string): Netmask {
  const slash = /^\/?(\d{1,3})$/.exec(text);
  if (slash !== null) {
    throw new ValueError("NETMASK_INVALID", `${shown(text)} is text; write the number alone: ${slash[1]}`);
  }
  const mask = IpAddress.tryParse(text);
  if (mask?.family !== 4) {
    throw new ValueError(
      "NETMASK_INVALID",
      `${shown(text)} is not a netmask; write 255.255.255.0 or a number of bits`,
    );
  }
  const host = ~(mask.words[0] ?? 0) >>> 0;
  if ((host & (host + 1)) !== 0) {
    throw new ValueError("NETMASK_INVALID", `${shown(text)} has a gap: its ones must all be on the left`);
  }
  return { prefixLength: Math.clz32(host), dotted: true };
}
