/**
 * The real servers of the UDP bench in one thread: one sends back what it gets, one counts it. Many datagrams in one system
 * call, so that neither is the limit.
 *
 * Run with two ports. A datagram of one byte to the second one is a question, answered with the count so far.
 */
import { IpAddress } from "../net/address.ts";
import { DatagramReceiver, SOURCE_WORDS } from "../sys/datagram_receiver.ts";
import { DatagramSender, type Recipient } from "../sys/datagram_sender.ts";
import { EPOLL, Epoll } from "../sys/epoll.ts";
import { addressNumber, Libc } from "../sys/libc.ts";
import { LEVEL, SOCKET_OPTION } from "../sys/socket_numbers.ts";
import { Sockets } from "../sys/sockets.ts";
import { DATAGRAMS, SOCKET_BUFFER_BYTES } from "./udp_load.ts";

const NAME_BYTES = 16;
const COUNT_BYTES = 8;

function serve(echoPort: number, sinkPort: number): void {
  const libc = Libc.open();
  const sockets = new Sockets(libc);
  const receiver = new DatagramReceiver(libc, DATAGRAMS, true);
  const sender = new DatagramSender(libc, DATAGRAMS);
  const recipients = Array.from({ length: DATAGRAMS }, (_, slot) => recipientOf(receiver, slot));
  const count = new Float64Array(1);
  const [echo, sink] = [echoPort, sinkPort].map((port) => bound(sockets, port));
  if (echo === undefined || sink === undefined) return;
  const epoll = new Epoll(libc, 2);
  epoll.add(echo, EPOLL.in, 0);
  epoll.add(sink, EPOLL.in, 1);
  print("ready");
  for (;;) {
    const events = epoll.wait(-1);
    for (let event = 0; event < events; event++) {
      const isEcho = epoll.tag(event) === 0;
      const socket = isEcho ? echo : sink;
      const datagrams = receiver.receive(socket, 0, DATAGRAMS);
      sender.clear();
      for (let slot = 0; slot < datagrams; slot++) {
        const length = receiver.length(slot);
        if (isEcho) sender.add(recipients[slot], receiver.address(slot), length, 0, false);
        else if (length > 1) count[0] = (count[0] ?? 0) + 1;
        else sender.add(recipients[slot], addressNumber(count), COUNT_BYTES, 0, false);
      }
      for (let sent = 0; sent < sender.count;) sent += Math.max(1, sender.send(socket, sent));
    }
  }
}

/** The client whose datagram is in a slot. */
function recipientOf(receiver: DatagramReceiver, slot: number): Recipient {
  const name = receiver.names[slot];
  if (name === undefined) throw new Error("no such slot");
  return {
    nameAddress: addressNumber(new Uint8Array(name.buffer, name.byteOffset, NAME_BYTES)),
    nameBytes: NAME_BYTES,
    source: new Uint32Array(SOURCE_WORDS),
    sourceFamily: 4,
    interfaceIndex: 0,
  };
}

function bound(sockets: Sockets, port: number): number {
  const socket = sockets.bindDatagrams({ address: IpAddress.parse("127.0.0.1"), port }, []);
  sockets.setOption(socket, LEVEL.socket, SOCKET_OPTION.receiveBuffer, SOCKET_BUFFER_BYTES);
  return socket;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (import.meta.main) serve(Number(Deno.args[0]), Number(Deno.args[1]));
