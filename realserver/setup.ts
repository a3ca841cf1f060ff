/**
 * What makes a Linux host a real server for DR or TUN, and what undoes it: commands, so that people can read them first.
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { interfaceSwitchName } from "../net/interface_switch.ts";

/** Device that tunnel packets come out of. */
export const TUNNEL_DEVICE = "lvsd0";

/** What a real server is for. */
export interface RealServerPlan {
  readonly mode: "dr" | "tun";
  readonly virtualAddresses: readonly IpAddress[];
  /** The interface that faces the director. */
  readonly interface: string;
}

/** A kernel switch as it has to be. */
export interface WantedSwitch {
  readonly name: string;
  readonly value: number;
  /** Whether a value that is there already will do. */
  readonly isRight: (now: number) => boolean;
  /** What will do, in words. */
  readonly wanted: string;
  readonly why: string;
}

/** `rp_filter`: a packet is dropped when its source is not reached through the interface by which it came. */
const STRICT = 1;

/**
 * A virtual address as people write it.
 *
 * @throws {ValueError} `ADDRESS_INVALID`; `VIP_LOOPBACK`: every host has it, and taking it from lo breaks the host
 */
export function parseVirtualAddress(text: string): IpAddress {
  const address = IpAddress.parse(text.trim());
  if (!address.isLoopback) return address;
  throw new ValueError(
    "VIP_LOOPBACK",
    `${address} is every host's own loopback address; name the address that clients connect to`,
    { value: text },
  );
}

/** Commands that give the host the virtual addresses, without telling anybody. */
export function addressCommands(plan: RealServerPlan, verb: "add" | "del"): string[][] {
  return plan.virtualAddresses.map((address) =>
    address.family === 4
      ? ["ip", "addr", verb, `${address}/32`, "dev", "lo"]
      : ["ip", "-6", "addr", verb, `${address}/128`, "dev", "lo", ...(verb === "add" ? ["nodad"] : [])]
  );
}

/** Switches in the order in which they are set: before the addresses, so that no ARP question finds them open. */
export function wantedSwitches(plan: RealServerPlan): WantedSwitch[] {
  const hasIpv4 = plan.virtualAddresses.some((it) => it.family === 4);
  if (!hasIpv4) return [];
  const both = (name: string, value: number, why: string): WantedSwitch[] =>
    ["all", plan.interface].map((on) => ({
      name: interfaceSwitchName(on, name),
      value,
      isRight: (now) => now >= value,
      wanted: `at least ${value}`,
      why,
    }));
  const filter = (on: string): WantedSwitch => ({
    name: interfaceSwitchName(on, "rp_filter"),
    value: 0,
    isRight: (now) => now !== STRICT,
    wanted: "0, or 2 (loose)",
    why: "the client is not reached through the tunnel; the larger of all and the device counts",
  });
  return [
    ...both("arp_ignore", 1, "answer ARP only for addresses of the interface that was asked"),
    ...both("arp_announce", 2, "never ask with the virtual address as sender"),
    ...(plan.mode === "tun" ? [filter("all"), filter(TUNNEL_DEVICE)] : []),
  ];
}

/** What is wrong with a switch's value, undefined when it will do. */
export function switchProblem({ name, isRight, wanted, why }: WantedSwitch, now: number): string | undefined {
  return isRight(now) ? undefined : `${name} is ${now} and should be ${wanted}: ${why}`;
}
