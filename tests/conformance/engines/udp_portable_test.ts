/** The portable engine's UDP half, before the director and before a decider that watches how it is asked. */
import { DirectorTraffic } from "./udp_director_traffic.ts";
import { PortableUdpEngine } from "./udp_portable_engine.ts";
import { udpEngineSuite } from "./udp_suite.ts";
import { ScriptedTraffic } from "./udp_traffic.ts";

udpEngineSuite({
  name: "portable",
  makeEngine: (parts) => new PortableUdpEngine(parts),
  makeTraffic: (wish) => new DirectorTraffic(wish),
  reportsClosedPorts: false,
});

udpEngineSuite({
  name: "portable, scripted director",
  makeEngine: (parts) => new PortableUdpEngine(parts),
  makeTraffic: (wish) => new ScriptedTraffic(wish),
  reportsClosedPorts: false,
});
