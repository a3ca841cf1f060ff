/** The portable engine's UDP, before the director and before a decider that watches how it is asked. */
import { PortableEngine } from "../../../engines/portable/portable.ts";
import { DirectorTraffic } from "./udp_director_traffic.ts";
import type { UdpFamilyMember } from "./udp_setting.ts";
import { udpEngineSuite } from "./udp_suite.ts";
import { ScriptedTraffic } from "./udp_traffic.ts";

const PLENTY = { limit: Infinity, open: 0 };

const PORTABLE: UdpFamilyMember = {
  name: "portable",
  makeEngine: (parts, descriptors = PLENTY) => new PortableEngine(parts, descriptors),
  makeTraffic: (wish) => new DirectorTraffic(wish),
  reportsClosedPorts: false,
};

udpEngineSuite(PORTABLE);
udpEngineSuite({
  ...PORTABLE,
  name: "portable, scripted director",
  makeTraffic: (wish) => new ScriptedTraffic(wish),
});
