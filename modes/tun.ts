/**
 * TUN (tunnelling, IP-IP): the director wraps the packet into another one for the real server.
 *
 * @module
 */
import type { ForwardingMethod } from "./rules.ts";

/** `ipvsadm -i`. */
export const tun: ForwardingMethod = {
  name: "tun",
  title: "TUN (tunnelling)",
  option: "-i",
  listWord: "Tunnel",
  changes: "nothing inside; an outer IP header for the real server is added",
  seesReplies: false,
  answers: {
    "port-mapping": {
      allowed: false,
      reason:
        "the real server unwraps the packet unchanged, addressed to VIP and service port, so it must listen on the service port",
    },
    "mixed-families": {
      allowed: true,
      reason: "the outer header has the real server's IP version, whatever is inside",
    },
    "every-address": {
      allowed: false,
      reason:
        "the real servers answer from the virtual address and must own it too, so it has to be one address",
    },
    "proxy-header": {
      allowed: false,
      reason: "the packet inside the tunnel is unchanged, nothing can be written into the connection",
    },
  },
};
