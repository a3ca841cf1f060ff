/**
 * One HTTPS check that verifies the certificate, as a program: `verify_probe.ts PORT SERVER_NAME`.
 *
 * @module
 */
import { SystemClock } from "../../../clock.ts";
import { CheckError } from "../../../healthcheck/check.ts";
import { SystemDialer } from "../../../healthcheck/dialer.ts";
import { HttpCheck } from "../../../healthcheck/http.ts";
import { IpAddress } from "../../../net/address.ts";

const [port, serverName = ""] = Deno.args;
const check = new HttpCheck({
  type: "https",
  method: "GET",
  path: "/",
  headers: {},
  status: [{ from: 200, to: 299 }],
  verify: true,
  serverName,
});
const target = { address: IpAddress.parse("127.0.0.1"), port: Number(port) };
const outcome = await check.run(target, new SystemDialer(new SystemClock()), AbortSignal.timeout(10_000))
  .then((result) => `${result.up ? "up" : result.reason}: ${result.detail}`)
  .catch((error) => error instanceof CheckError ? `${error.reason}: ${error.message}` : `${error}`);
await Deno.stdout.write(new TextEncoder().encode(outcome));
