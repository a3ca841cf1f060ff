import { member } from "./tcp_portable_engine.ts";
import { tcpEngineSuite } from "./tcp_suite.ts";

tcpEngineSuite(member);
