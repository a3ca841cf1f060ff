/**
 * The packet that a question is about.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import { type Flow, PROTOCOL, TCP_FLAG } from "../../net/flow.ts";
import { put16 } from "../../packet/bytes.ts";
import { FRAGMENT, IPV4_BYTES, IPV4_MAX_BYTES, writeIpv4 } from "../../packet/ipv4.ts";
import { IPV6_BYTES, writeIpv6 } from "../../packet/ipv6.ts";
import { SCTP_BYTES, TCP, TCP_BYTES, UDP, UDP_BYTES } from "../../packet/transport.ts";

const TTL = 64;
/** Type of SCTP's first chunk. */
const SCTP_INIT = 1;
const SCTP_CHUNK_BYTES = 4;

/**
 * The first packet of a flow as a host sends it: SYN, INIT or a datagram, with DF.
 *
 * @param length IP length; left out: headers only
 * @throws {ValueError} `BYTES_INVALID`
 */
export function questionPacket(flow: Flow, length?: number): Uint8Array {
  const { family, protocol, client, virtual } = flow;
  const header = family === 4 ? IPV4_BYTES : IPV6_BYTES;
  const least = header + upperBytes(protocol);
  const total = length ?? least;
  if (!Number.isInteger(total) || total < least || total > IPV4_MAX_BYTES) {
    throw new ValueError(
      "BYTES_INVALID",
      `such a packet has ${least} to ${IPV4_MAX_BYTES} bytes, not ${total}`,
      { value: total },
    );
  }
  const bytes = new Uint8Array(total);
  if (family === 4) {
    writeIpv4(bytes, 0, {
      tos: 0,
      totalLength: total,
      id: 0,
      fragment: FRAGMENT.dont,
      ttl: TTL,
      protocol,
      source: client[0] ?? 0,
      destination: virtual[0] ?? 0,
    });
  } else {
    const payloadLength = total - header;
    const ends = { source: client, destination: virtual };
    writeIpv6(bytes, 0, {
      trafficClass: 0,
      flowLabel: 0,
      payloadLength,
      nextHeader: protocol,
      hopLimit: TTL,
      ...ends,
    });
  }
  put16(bytes, header, flow.clientPort);
  put16(bytes, header + 2, flow.virtualPort);
  if (protocol === PROTOCOL.tcp) {
    bytes[header + TCP.dataOffset] = (TCP_BYTES / 4) << 4;
    bytes[header + TCP.flags] = TCP_FLAG.syn;
  } else if (protocol === PROTOCOL.udp) put16(bytes, header + UDP.length, total - header);
  else bytes[header + SCTP_BYTES] = SCTP_INIT;
  return bytes;
}

function upperBytes(protocol: number): number {
  if (protocol === PROTOCOL.tcp) return TCP_BYTES;
  return protocol === PROTOCOL.udp ? UDP_BYTES : SCTP_BYTES + SCTP_CHUNK_BYTES;
}
