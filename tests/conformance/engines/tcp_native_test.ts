import { member as one } from "./tcp_native_engine.ts";
import { member as two } from "./tcp_native_pair_engine.ts";
import { tcpEngineSuite } from "./tcp_suite.ts";

if (Deno.build.os === "linux") {
  tcpEngineSuite(one);
  tcpEngineSuite(two);
}
