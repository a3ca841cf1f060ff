/**
 * The inner packet of a tunnel packet: IP in IP, GRE, GUE.
 *
 * @module
 */
import { get16, get32, put16 } from "../packet/bytes.ts";
import { checksumOf } from "../packet/checksum.ts";
import { ETHERTYPE } from "../packet/ethernet.ts";
import { ipv4HeaderBytes } from "../packet/ipv4.ts";
import { IP_PROTOCOL } from "../packet/transport.ts";
import { greBytes, greEthertype, GUE_BYTES, gueBytes, gueProtocol, isGreDamaged } from "../packet/tunnel.ts";

const NOTHING = -1;
/** GUE's private flags, and among them remote checksum offload. */
const GUE_PRIVATE = 0x0001;
const GUE_REMOTE_CHECKSUM = 0x8000_0000;

/**
 * Where the inner packet begins, -1 when there is none. A checksum that GUE left to the receiver is finished.
 *
 * @param protocol IP protocol by which it came; 17 for the payload of a GUE datagram
 * @param hasOuterHeader IPv4 raw sockets hand over the outer header, IPv6 ones do not
 */
export function innerAt(
  bytes: Uint8Array,
  from: number,
  end: number,
  protocol: number,
  hasOuterHeader: boolean,
): number {
  const at = hasOuterHeader ? from + ipv4HeaderBytes(bytes, from) : from;
  if (at >= end) return NOTHING;
  switch (protocol) {
    case IP_PROTOCOL.ipip:
    case IP_PROTOCOL.ipv6:
      return at;
    case IP_PROTOCOL.gre: {
      const size = greBytes(bytes, at, end);
      if (size < 0 || isGreDamaged(bytes, at, end)) return NOTHING;
      const ethertype = greEthertype(bytes, at);
      return ethertype === ETHERTYPE.ipv4 || ethertype === ETHERTYPE.ipv6 ? at + size : NOTHING;
    }
    case IP_PROTOCOL.udp:
      return insideGue(bytes, at, end);
    default:
      return NOTHING;
  }
}

function insideGue(bytes: Uint8Array, at: number, end: number): number {
  const size = gueBytes(bytes, at, end);
  if (size < 0) return NOTHING;
  const protocol = gueProtocol(bytes, at);
  if (protocol !== IP_PROTOCOL.ipip && protocol !== IP_PROTOCOL.ipv6) return NOTHING;
  const inner = at + size;
  const isPrivate = (get16(bytes, at + 2) & GUE_PRIVATE) !== 0 && size >= GUE_BYTES + 8;
  if (isPrivate && (get32(bytes, at + GUE_BYTES) & GUE_REMOTE_CHECKSUM) !== 0) {
    const start = inner + get16(bytes, at + GUE_BYTES + 4);
    const field = inner + get16(bytes, at + GUE_BYTES + 6);
    // The field holds the pseudo-header's sum, which belongs to what is summed.
    if (start < end && field + 2 <= end) put16(bytes, field, checksumOf(bytes, start, end));
  }
  return inner;
}
