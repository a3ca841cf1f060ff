/**
 * A client that sends datagrams of given IP sizes, each with DF and without, and says what became of each: one JSON text.
 * `mtu_probe.ts ADDRESS PORT SIZE...`
 *
 * @module
 */
import { isIP } from "node:net";
import { IpAddress } from "../../net/address.ts";
import { checked, ERRNO, errnoName } from "../../sys/errno.ts";
import { addressOf, Libc } from "../../sys/libc.ts";
import { socketAddress } from "../../sys/socket_address.ts";
import { FAMILY, LEVEL, SOCKET } from "../../sys/socket_numbers.ts";
import { run } from "./command.ts";

/** `IP_MTU_DISCOVER`, `IP_MTU` and their values (linux/in.h, linux/in6.h). */
const OPTION = { 4: { discover: 10, mtu: 14 }, 6: { discover: 23, mtu: 24 } } as const;
/** A breakable datagram: over IPv4 whoever has to cuts it up; over IPv6 its sender alone, who must hear of it (`WANT`). */
const DISCOVER = { breakable: { 4: 0, 6: 1 }, unbreakable: { 4: 2, 6: 2 } } as const;
/** `SO_RCVTIMEO`; nothing that is on its way takes longer here. */
const RECEIVE_TIMEOUT = { option: 20, seconds: 2n } as const;
const HEADER_BYTES = { 4: 28, 6: 48 } as const;
/** With DF a first datagram may be refused by the director; without, the sender may have to learn to cut it up first. */
const TRIES = 2;

/** What became of the datagrams of one size. */
export interface ProbeResult {
  readonly size: number;
  /** `echoed`, `told 1480` (the MTU that the socket has learned), or `nothing`. */
  readonly unbreakable: string;
  readonly breakable: string;
}

async function main([address = "", port = "", ...sizes]: readonly string[]): Promise<void> {
  using libc = Libc.open();
  const results: ProbeResult[] = [];
  for (const size of sizes.map(Number)) {
    await forgetMtus();
    const unbreakable = probe(libc, address, Number(port), size, "unbreakable", 1);
    await forgetMtus();
    const breakable = probe(libc, address, Number(port), size, "breakable", TRIES);
    results.push({ size, unbreakable, breakable });
  }
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(results)));
}

/** What earlier errors have told must not answer for later ones. */
async function forgetMtus(): Promise<void> {
  await run(["ip", "route", "flush", "cache"]);
  await run(["ip", "-6", "route", "flush", "cache"]);
}

function probe(
  libc: Libc,
  text: string,
  port: number,
  size: number,
  kind: keyof typeof DISCOVER,
  tries: number,
): string {
  const family = isIP(text) === 6 ? 6 : 4;
  const level = family === 4 ? LEVEL.ip : LEVEL.ipv6;
  const descriptor = checked(
    "socket",
    libc.socket(family === 4 ? FAMILY.inet : FAMILY.inet6, SOCKET.datagram, 0),
  );
  try {
    const value = Int32Array.of(DISCOVER[kind][family]);
    checked("setsockopt", libc.setOption(descriptor, level, OPTION[family].discover, addressOf(value), 4));
    const wait = BigInt64Array.of(RECEIVE_TIMEOUT.seconds, 0n);
    checked(
      "setsockopt",
      libc.setOption(descriptor, LEVEL.socket, RECEIVE_TIMEOUT.option, addressOf(wait), 16),
    );
    const name = socketAddress({ address: IpAddress.parse(text), port });
    checked("connect", libc.connect(descriptor, addressOf(name), name.length));
    const payload = Uint8Array.from({ length: size - HEADER_BYTES[family] }, (_, i) => i);
    for (let left = tries;; left--) {
      const answer = exchange(libc, descriptor, payload);
      if (answer !== -ERRNO.EMSGSIZE) {
        return answer === 0 ? "echoed" : answer < 0 ? errnoName(-answer) : "damaged";
      }
      if (left <= 1) return `told ${mtuOf(libc, descriptor, level, OPTION[family].mtu)}`;
    }
  } finally {
    libc.close(descriptor);
  }
}

/** 0 when the same bytes came back, 1 when others did, else a negative errno; EAGAIN: nothing came. */
function exchange(libc: Libc, descriptor: number, payload: Uint8Array<ArrayBuffer>): number {
  const sent = libc.send(descriptor, addressOf(payload), payload.length, 0);
  if (sent < 0) return sent;
  const answer = new Uint8Array(payload.length + 1);
  const received = libc.receive(descriptor, addressOf(answer), answer.length, 0);
  if (received < 0) return received;
  return received === payload.length && payload.every((byte, i) => byte === answer[i]) ? 0 : 1;
}

function mtuOf(libc: Libc, descriptor: number, level: number, option: number): number {
  const value = new Int32Array(1);
  const length = Uint32Array.of(4);
  checked("getsockopt", libc.getOption(descriptor, level, option, addressOf(value), addressOf(length)));
  return value[0] ?? 0;
}

if (import.meta.main) await main(Deno.args);
