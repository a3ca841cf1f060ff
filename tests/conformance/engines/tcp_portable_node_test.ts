import { member } from "./tcp_portable_node_engine.ts";
import { tcpEngineSuite } from "./tcp_suite.ts";

tcpEngineSuite(member);
