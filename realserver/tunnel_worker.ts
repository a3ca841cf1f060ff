/**
 * The loop that takes tunnel packets apart; a worker, for it never awaits.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { IpAddress } from "../net/address.ts";
import { IpPacket } from "../packet/ip_packet.ts";
import { IP_PROTOCOL } from "../packet/transport.ts";
import { PacketLibrary } from "../sys/packet_library.ts";
import { TunDevice } from "../sys/tun_device.ts";
import { type TunnelInlet, TunnelSockets } from "../sys/tunnel_sockets.ts";
import { Coalescer, MOST_PIECES } from "./coalescing.ts";
import { innerAt } from "./decapsulate.ts";
import { TUNNEL_DEVICE } from "./setup.ts";
import { TUNNEL_WORD, type TunnelStart } from "./tunnel_words.ts";

const WAIT_MS = 50;
/** Of a TUN device that nobody changed. */
const DEVICE_MTU = 1_500;

function main({ words, port, virtualAddresses }: TunnelStart): void {
  using library = PacketLibrary.open();
  using sockets = new TunnelSockets(library, inlets(port));
  using device = TunDevice.open(library, TUNNEL_DEVICE, sockets.arena, MOST_PIECES);
  const owned = virtualAddresses.map((it) => IpAddress.parse(it));
  const packet = new IpPacket();
  const destination = new Uint32Array(4);
  const count = (word: number, packets = 1) => Atomics.add(words, word, packets);
  const coalescer = new Coalescer(
    sockets.arena,
    device,
    DEVICE_MTU,
    (packets, isTaken) => count(isTaken ? TUNNEL_WORD.packets : TUNNEL_WORD.malformed, packets),
  );
  Atomics.store(words, TUNNEL_WORD.ready, 1);
  Atomics.notify(words, TUNNEL_WORD.ready);
  while (Atomics.load(words, TUNNEL_WORD.stop) === 0) {
    sockets.serve(WAIT_MS, take, () => coalescer.flush());
  }

  function take(
    { family, protocol, port: udp }: TunnelInlet,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const at = innerAt(bytes, from, to, protocol, family === 4 && udp === 0);
    if (at < 0 || !packet.read(bytes, at, to)) return void count(TUNNEL_WORD.malformed);
    packet.readDestination(destination);
    // Whoever can reach this host must not reach others through it.
    if (owned.some(isDestination)) coalescer.take(packet);
    else count(TUNNEL_WORD.foreign);
  }

  function isDestination({ family, words }: IpAddress): boolean {
    return family === packet.family && words.every((word, i) => word === destination[i]);
  }
}

/** Where tunnel packets may arrive; GUE only with a port. */
function inlets(port: number): TunnelInlet[] {
  const raw = ([4, 6] as const).flatMap((family) =>
    [IP_PROTOCOL.ipip, IP_PROTOCOL.ipv6, IP_PROTOCOL.gre].map((protocol) => ({ family, protocol, port: 0 }))
  );
  return port === 0 ? raw : [...raw, { family: 6, protocol: IP_PROTOCOL.udp, port }];
}

try {
  main(workerData);
} catch (error) {
  // Thrown, the runtime would print it with its stack.
  parentPort?.postMessage(error instanceof Error ? error.message : String(error));
}
