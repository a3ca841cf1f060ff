/**
 * NAT (masquerading): the director rewrites addresses and ports both ways.
 *
 * @module
 */
import type { ForwardingMethod } from "./rules.ts";

/** `ipvsadm -m`. */
export const nat: ForwardingMethod = {
  name: "nat",
  title: "NAT (masquerading)",
  option: "-m",
  listWord: "Masq",
  changes: "destination address and port; in replies, source address and port",
  seesReplies: true,
  answers: {
    "port-mapping": {
      allowed: true,
      reason: "the director rewrites the destination port, and back in the reply",
    },
    // The kernel refuses it ("Different address family is allowed only for tunneling servers"); a socket does not care.
    "mixed-families": {
      allowed: true,
      reason: "lvsd opens its own connection to the real server; kernel LVS cannot do this",
    },
    "every-address": {
      allowed: true,
      reason: "the real server never sees the address that the client used",
    },
    "proxy-header": {
      allowed: true,
      reason: "lvsd opens its own connection to the real server and may write into it",
    },
  },
};
