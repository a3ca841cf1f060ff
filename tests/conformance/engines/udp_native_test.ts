import { nativeUdp } from "./udp_native_engine.ts";
import { udpEngineSuite } from "./udp_suite.ts";

if (Deno.build.os === "linux") {
  udpEngineSuite(nativeUdp(1));
  udpEngineSuite(nativeUdp(2));
}
