/**
 * The kernel mixes a number of its own into the hash of services, another on every start; what it was, the recorded
 * orders tell.
 *
 * @module
 */
import type { ServiceKey } from "../../director/specs.ts";
import { kernelPlace } from "../../ipvsadm/order.ts";
import { readIpv6 } from "../../ipvsadm/values.ts";
import { IpAddress } from "../../net/address.ts";
import { PROTOCOL } from "../../net/flow.ts";
import { type ToolCommand, wordsOf } from "./tool_recording.ts";

const SALTS = 256;
const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: PROTOCOL.tcp,
  UDP: PROTOCOL.udp,
  SCTP: PROTOCOL.sctp,
};

/** Every number with which all orders of a file come out, the smallest first. */
export function possibleSalts(commands: readonly ToolCommand[]): number[] {
  const orders = commands.filter(isUnsorted).map(({ stdout }) => keysOf(stdout));
  return Array.from({ length: SALTS }, (_, salt) => salt)
    .filter((salt) => orders.every((keys) => isAscending(keys.map((key) => kernelPlace(key, salt)))));
}

function isUnsorted(command: ToolCommand): boolean {
  const words = wordsOf(command);
  if (command.rc !== 0 || command.stdout === "") return false;
  if (words[0] === "cat") return words[1] === "/proc/net/ip_vs";
  // Names cannot be read back.
  return words.includes("--nosort") && words.some((it) => /^(-[a-z]*n[a-z]*|--numeric)$/i.test(it));
}

/** Services of a listing or of `/proc/net/ip_vs`, as far as they are written in numbers. */
function keysOf(text: string): ServiceKey[] {
  return text.split("\n").flatMap((line): ServiceKey[] => {
    const [, mark, isIpv6] = /^FWM {2}(\S+)( IPv6)?/.exec(line) ?? [];
    if (mark !== undefined) {
      const number = /^[0-9A-F]{8}$/.test(mark) ? parseInt(mark, 16) : Number(mark) >>> 0;
      return [{ mark: number, family: isIpv6 === undefined ? 4 : 6 }];
    }
    const [, name = "", host = "", port = ""] = /^(TCP|UDP|SCTP) +(\S+):([0-9A-F]+) /.exec(line) ?? [];
    const protocol = PROTOCOLS[name];
    if (protocol === undefined) return [];
    const isHex = /^([0-9A-F]{8}|\[([0-9a-f]{4}:){7}[0-9a-f]{4}\])$/.test(host);
    const address = host.startsWith("[")
      ? readIpv6(host.slice(1, -1))
      : isHex
      ? IpAddress.ipv4(parseInt(host, 16))
      : IpAddress.tryParse(host);
    return address === undefined ? [] : [{ protocol, address, port: parseInt(port, isHex ? 16 : 10) }];
  });
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number >= (numbers[i - 1] ?? 0));
}
