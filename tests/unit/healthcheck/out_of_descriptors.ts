/**
 * A program that uses up its descriptors and then tries to check; prints the reason for each way to connect.
 *
 * @module
 */
import { SystemClock } from "../../../clock.ts";
import { CheckError } from "../../../healthcheck/check.ts";
import { SystemDialer } from "../../../healthcheck/dialer.ts";
import { IpAddress } from "../../../net/address.ts";

const dialer = new SystemDialer(new SystemClock());
const target = { address: IpAddress.parse("127.0.0.1"), port: 1 };
const { signal } = new AbortController();
// Once while there are descriptors, so that everything is loaded.
await dialer.connectUdp(target, signal).then((it) => it[Symbol.dispose]());
await dialer.connectTcp(target, signal).catch(() => {});

const held: Deno.FsFile[] = [];
try {
  for (;;) held.push(await Deno.open("/dev/null"));
} catch {
  // None is left.
}
const reasons: string[] = [];
for (const attempt of [() => dialer.connectTcp(target, signal), () => dialer.connectUdp(target, signal)]) {
  const reason = await attempt().then(
    () => "none",
    (error) => error instanceof CheckError ? error.reason : `${error}`,
  );
  reasons.push(reason);
}
for (const file of held) file.close();
await Deno.stdout.write(new TextEncoder().encode(reasons.join(" ")));
