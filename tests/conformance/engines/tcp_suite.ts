/** The TCP conformance suite: every engine that moves streams passes it. */
import type { TcpFamilyMember } from "./tcp_setting.ts";
import { crossedTests } from "./tcp_suite_crossed.ts";
import { endTests } from "./tcp_suite_ends.ts";
import { failureTests } from "./tcp_suite_failures.ts";
import { fullTests } from "./tcp_suite_full.ts";
import { fuzzTests } from "./tcp_suite_fuzz.ts";
import { lifeTests } from "./tcp_suite_life.ts";
import { limitTests } from "./tcp_suite_limits.ts";
import { proxyTests } from "./tcp_suite_proxy.ts";
import { relayTests } from "./tcp_suite_relay.ts";

/** Defines the tests of one engine. */
export function tcpEngineSuite(member: TcpFamilyMember): void {
  relayTests(member);
  crossedTests(member);
  endTests(member);
  failureTests(member);
  lifeTests(member);
  proxyTests(member);
  fullTests(member);
  limitTests(member);
  fuzzTests(member);
}
