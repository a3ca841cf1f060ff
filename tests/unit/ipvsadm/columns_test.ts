/** Columns at their limits, as the real tool printed them for a table made up for the purpose. */
import assert from "node:assert/strict";
import { PROTOCOL } from "../../../net/flow.ts";
import { IpAddress } from "../../../net/address.ts";
import { type ListFormat, listServices } from "../../../ipvsadm/list.ts";
import { FileNames, NO_NAMES } from "../../../ipvsadm/names.ts";
import { addressText } from "../../../ipvsadm/place.ts";
import { PLAIN_TUNNEL } from "../../../modes/tunnel.ts";
import type { DestinationRow, Numbers, ServiceRow } from "../../../ipvsadm/table.ts";

const LARGE: Numbers = {
  connections: 99_999_999,
  inPackets: 4_294_967_295,
  outPackets: 1e9,
  inBytes: 1e9,
  outBytes: 1e11,
};
const RATES: Numbers = {
  connections: 4e9,
  inPackets: 5,
  outPackets: 123_456_789,
  inBytes: 3_999_999_999,
  outBytes: 123_456_789,
};

const destination: DestinationRow = {
  address: IpAddress.parse("10.2.0.1"),
  port: 8_080,
  method: "nat",
  weight: 2_147_483_647,
  effectiveWeight: 2_147_483_647,
  absent: false,
  upperThreshold: 4_000_000_000,
  lowerThreshold: 1,
  tunnel: PLAIN_TUNNEL,
  activeConns: 4_294_967_295,
  inactiveConns: 12_345_678,
  persistentConns: 3,
  totals: { ...LARGE, inBytes: 100_000_000_000_000, outBytes: 99_999_999 },
  rates: RATES,
};
const service: ServiceRow = {
  key: { protocol: PROTOCOL.tcp, address: IpAddress.parse("10.99.0.1"), port: 80 },
  scheduler: "wlc",
  flags: 0,
  persistentSeconds: 300,
  netmask: 0xffffff00,
  onePacket: false,
  persistenceEngine: "",
  totals: LARGE,
  rates: RATES,
  destinations: [destination],
};

async function rows(format: ListFormat, exact = false, names = NO_NAMES): Promise<string[]> {
  const text = await listServices([service], { format, exact, sorted: true, names });
  return text.trimEnd().split("\n").slice(2);
}

Deno.test("numbers from 10^8 on are shortened, three rates of a destination never", async () => {
  assert.deepEqual(await rows("stats"), [
    "TCP  10.99.0.1:80                 99999999    4294M    1000M    1000M     100G",
    "  -> 10.2.0.1:8080                99999999    4294M    1000M     100T 99999999",
  ]);
  assert.deepEqual(await rows("rate"), [
    "TCP  10.99.0.1:80                    4000M        5  123456K    3999M  123456K",
    "  -> 10.2.0.1:8080                4000000000        5 123456789    3999M  123456K",
  ]);
});

Deno.test("--exact prints all digits and pushes the columns", async () => {
  assert.deepEqual(await rows("stats", true), [
    "TCP  10.99.0.1:80                 99999999 4294967295 1000000000 1000000000 100000000000",
    "  -> 10.2.0.1:8080                99999999 4294967295 1000000000 100000000000000 99999999",
  ]);
});

Deno.test("wide weights and thresholds push the columns", async () => {
  assert.deepEqual(
    (await rows("plain")).at(-1),
    "  -> 10.2.0.1:8080                Masq    2147483647 4294967295 12345678",
  );
  assert.deepEqual(
    (await rows("thresholds")).at(-1),
    "  -> 10.2.0.1:8080                4000000000 1          4294967295 12345678",
  );
  assert.deepEqual(
    (await rows("persistent-conn")).at(-1),
    "  -> 10.2.0.1:8080                2147483647 3           4294967295 12345678",
  );
});

Deno.test("long names are cut: servers at 28, services at 33 with their protocol", async () => {
  const long = (letter: string) => letter.repeat(40);
  const names = new FileNames(`10.99.0.1 ${long("b")}\n10.2.0.1 ${long("c")}\n`, "http 80/tcp\n");
  assert.deepEqual(await rows("plain", false, names), [
    `TCP  ${"b".repeat(28)} wlc persistent 300 mask 255.255.255.0`,
    `  -> ${"c".repeat(28)} Masq    2147483647 4294967295 12345678`,
  ]);
});

Deno.test("an IPv6 address with an IPv4 one inside is written as inet_ntop does", () => {
  const text = (...words: number[]) => addressText(new IpAddress(6, Uint32Array.of(...words)));
  assert.equal(text(0, 0, 0xffff, 0x01020304), "::ffff:1.2.3.4");
  assert.equal(text(0, 0, 0, 0x01020304), "::1.2.3.4");
  assert.equal(text(0, 0, 0, 1), "::1");
  assert.equal(text(0, 0, 0, 0), "::");
  assert.equal(text(0xfd000000, 0, 0, 0x01020304), "fd00::102:304");
});
