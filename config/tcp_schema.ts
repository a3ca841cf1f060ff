/**
 * The YAML schema of a service's socket options.
 *
 * @module
 */
import type * as z from "zod";
import { duration, integer } from "./fields.ts";
import { section } from "./sections.ts";

// The kernel's bounds: MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL are 32,767 s, MAX_TCP_KEEPCNT is 127 (linux/tcp.h).
const seconds = { least: "1s", most: "32767s", wholeSeconds: true } as const;
/** A poll is paid by every other connection of the worker; the kernel's documentation advises 50. */
const BUSY_POLL_MICROSECONDS = 10_000;

const keepAlive = section({
  idle: duration(seconds).prefault("2h").describe("Quiet time before the first probe, TCP_KEEPIDLE."),
  interval: duration(seconds).prefault("75s").describe("Time between two probes, TCP_KEEPINTVL."),
  count: integer(1, 127).default(9).describe("Unanswered probes that break the connection, TCP_KEEPCNT."),
});

/** Socket options; what is left out keeps the kernel's default. */
export const tcpOptions = section({
  userTimeout: duration({ least: "1ms" }).optional()
    .describe(
      "How long sent bytes may go unacknowledged before a connection breaks, TCP_USER_TIMEOUT. Both sockets.",
    )
    .meta({ defaultText: "the kernel's, some 15 minutes" }),
  keepAlive: keepAlive.optional()
    .describe("Probes of quiet connections, SO_KEEPALIVE. Both sockets.")
    .meta({ defaultText: "off", example: { idle: "1m", interval: "10s", count: 5 } }),
  deferAccept: duration({ ...seconds, most: "1h" }).optional()
    .describe(
      "Clients are accepted once they have sent something, or after about this time, TCP_DEFER_ACCEPT. Not for protocols in which the server speaks first.",
    )
    .meta({ defaultText: "off", example: "3s" }),
  fastOpen: integer(1, 65_535).optional()
    .describe(
      "Clients that may wait with bytes in their SYN, TCP_FASTOPEN; the kernel takes them when `net.ipv4.tcp_fastopen` has the bit 2.",
    )
    .meta({ defaultText: "off", example: 256 }),
  busyPoll: integer(1, BUSY_POLL_MICROSECONDS).optional()
    .describe(
      "Reads look at the network card for so long before they wait, SO_BUSY_POLL. Needs CAP_NET_ADMIN.",
    )
    .meta({ unit: "microseconds", defaultText: "`net.core.busy_read`", example: 50 }),
});

/** Socket options as they were read. */
export type WrittenTcpOptions = z.output<typeof tcpOptions>;
