/**
 * DR (direct routing, gatewaying): the director changes nothing but the frame's destination MAC address.
 *
 * @module
 */
import type { ForwardingMethod } from "./rules.ts";

/** `ipvsadm -g`. */
export const dr: ForwardingMethod = {
  name: "dr",
  title: "DR (direct routing, gatewaying)",
  option: "-g",
  listWord: "Route",
  changes: "the destination MAC address only",
  seesReplies: false,
  answers: {
    "port-mapping": {
      allowed: false,
      reason:
        "the real server receives the packet unchanged, addressed to VIP and service port, so it must listen on the service port",
    },
    "mixed-families": {
      allowed: false,
      reason:
        "the packet is passed on unchanged and stays of the client's IP version; only tun wraps it into another",
    },
    "every-address": {
      allowed: false,
      reason:
        "the real servers answer from the virtual address and must own it too, so it has to be one address",
    },
    "proxy-header": {
      allowed: false,
      reason: "the packet is passed on unchanged, nothing can be written into the connection",
    },
  },
};
