/** The UDP conformance suite: every engine that moves datagrams passes it. */
import { descriptorTests } from "./udp_suite_descriptors.ts";
import { dnsTests } from "./udp_suite_dns.ts";
import { failureTests } from "./udp_suite_failures.ts";
import { floodTests } from "./udp_suite_flood.ts";
import { lifeTests } from "./udp_suite_life.ts";
import { onePacketTests } from "./udp_suite_one_packet.ts";
import { proxyTests } from "./udp_suite_proxy.ts";
import { relayTests } from "./udp_suite_relay.ts";
import { trainTests } from "./udp_suite_trains.ts";
import type { UdpFamilyMember } from "./udp_setting.ts";

/** Defines the tests of one engine. */
export function udpEngineSuite(member: UdpFamilyMember): void {
  relayTests(member);
  trainTests(member);
  lifeTests(member);
  onePacketTests(member);
  proxyTests(member);
  failureTests(member);
  descriptorTests(member);
  floodTests(member);
  dnsTests(member);
}
