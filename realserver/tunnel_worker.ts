/**
 * The loop that takes tunnel packets apart; a worker, for it never awaits.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { IpAddress } from "../net/address.ts";
import { IpPacket } from "../packet/ip_packet.ts";
import { IP_PROTOCOL } from "../packet/transport.ts";
import { PacketLibrary } from "../sys/packet_library.ts";
import { TunDevice } from "../sys/tun_device.ts";
import { type TunnelInlet, TunnelSockets } from "../sys/tunnel_sockets.ts";
import { innerAt } from "./decapsulate.ts";
import { TUNNEL_DEVICE } from "./setup.ts";
import { TUNNEL_WORD, type TunnelStart } from "./tunnel_words.ts";

const WAIT_MS = 50;

function main({ words, port, virtualAddresses }: TunnelStart): void {
  using library = PacketLibrary.open();
  using device = TunDevice.open(library, TUNNEL_DEVICE);
  using sockets = new TunnelSockets(library, inlets(port));
  const owned = virtualAddresses.map((it) => IpAddress.parse(it));
  const packet = new IpPacket();
  const destination = new Uint32Array(4);
  const count = (word: number) => Atomics.add(words, word, 1);
  Atomics.store(words, TUNNEL_WORD.ready, 1);
  Atomics.notify(words, TUNNEL_WORD.ready);
  while (Atomics.load(words, TUNNEL_WORD.stop) === 0) {
    sockets.serve(WAIT_MS, (inlet, bytes) => count(take(inlet, bytes)));
  }

  /** Injects what is inside; the word that counts the outcome. */
  function take({ family, protocol, port: udp }: TunnelInlet, bytes: Uint8Array): number {
    const at = innerAt(bytes, protocol, family === 4 && udp === 0);
    if (at < 0 || !packet.read(bytes, at, bytes.length)) return TUNNEL_WORD.malformed;
    packet.readDestination(destination);
    // Whoever can reach this host must not reach others through it.
    const isOurs = owned.some(({ family, words }) =>
      family === packet.family && words.every((word, i) => word === destination[i])
    );
    if (!isOurs) return TUNNEL_WORD.foreign;
    return device.inject(bytes.subarray(at, packet.end)) ? TUNNEL_WORD.packets : TUNNEL_WORD.malformed;
  }
}

/** Where tunnel packets may arrive; GUE only with a port. */
function inlets(port: number): TunnelInlet[] {
  const raw = ([4, 6] as const).flatMap((family) =>
    [IP_PROTOCOL.ipip, IP_PROTOCOL.ipv6, IP_PROTOCOL.gre].map((protocol) => ({ family, protocol, port: 0 }))
  );
  return port === 0 ? raw : [...raw, { family: 6, protocol: IP_PROTOCOL.udp, port }];
}

main(workerData);
