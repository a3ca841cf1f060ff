import { PORTABLE } from "./tcp_portable_engine.ts";
import { tcpEngineSuite } from "./tcp_suite.ts";

tcpEngineSuite(PORTABLE);
