/**
 * The interfaces of the packet engine.
 *
 * @module
 */
import * as z from "zod";
import { ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { Prefix } from "../net/prefix.ts";
import { choice, integer, prefix, reading, text } from "./fields.ts";
import { list, section } from "./sections.ts";

/** An address with the length of its network, as text that stays as it was written. */
const interfaceAddress = text("10.1.0.1/24").transform(reading((written: string): string => {
  const [address = "", length] = written.split("/");
  if (length === undefined || IpAddress.tryParse(address) === undefined) {
    throw new ValueError(
      "ADDRESS_INVALID",
      `"${written}" is not an address with the length of its network; write 10.1.0.1/24`,
      { value: written },
    );
  }
  Prefix.parse(written);
  return written;
})).meta({ unit: "address with prefix length", example: "10.1.0.1/24" });

const router = text("10.1.0.254").transform(reading((written: string): string => {
  IpAddress.parse(written);
  return written;
})).meta({ unit: "address", example: "10.1.0.254" });

const packetInterface = section({
  name: text("eth0").describe("Name of the system's interface."),
  vlan: integer(0, 4_094).default(0).describe("VLAN on it; 0 is none."),
  addresses: list(interfaceAddress, "[10.1.0.1/24]").describe(
    "The engine's own addresses there, which the host must not have: from them it speaks to real servers, and NAT's real servers take one as their gateway.",
  ).meta({ example: ["10.1.0.1/24"] }),
});

const packetRoute = section({
  to: prefix().describe("What is reached this way; `0.0.0.0/0` is everything."),
  via: router.describe("The router, in a network of one of the interfaces."),
});

/** Everything the packet engine needs besides the services. */
export const packetSection = section({
  interfaces: list(packetInterface, "- name: eth0").min(1, {
    error: "{key} is empty; name the interface that clients come by",
  }).describe("Interfaces that packets come and go by; the first one faces the clients."),
  routes: list(packetRoute, "- to: 0.0.0.0/0").prefault([]).describe("Ways through routers."),
  priority: choice("priority", ["realtime", "normal"]).default("realtime").describe(
    "Of the thread that forwards: `realtime` goes before ordinary programs, as the kernel's own forwarding does (SCHED_RR; with CAP_SYS_NICE, else it is normal).",
  ),
});

/** As it was read. */
export type WrittenPacket = z.output<typeof packetSection>;
