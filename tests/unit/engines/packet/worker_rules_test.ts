/**
 * The packet worker's rules: what LOG says reaches whoever writes, and not more of it than may.
 */
import assert from "node:assert/strict";
import { packChains } from "../../../../engines/packet/rule_transfer.ts";
import { WorkerRules } from "../../../../engines/packet/worker_rules.ts";
import { PRIORITY } from "../../../../hooks/hook.ts";
import type { LoggedPacket } from "../../../../hooks/logged_packet.ts";
import type { Chain } from "../../../../hooks/rule.ts";
import { LIMITS } from "../../../../limits.ts";
import { SeededRandom } from "../../../../net/random.ts";
import { Wire } from "./wire.ts";

const chain: Chain = {
  name: "in",
  base: { hook: "input", priority: PRIORITY.filter, policy: "accept" },
  rules: [{ match: { protocols: [17] }, target: { kind: "log", prefix: "dns: ", level: "warning" } }],
};

Deno.test("LOG: some lines a turn, as data, and every packet in the shared counter", () => {
  const wire = new Wire();
  wire.serve("10.1.0.100", "udp", [{ at: "172.16.0.11" }], 53);
  const logged: LoggedPacket[] = [];
  const rules = new WorkerRules(wire.hooks, wire.director, new SeededRandom(1), (it) => logged.push(it));
  const counters = new SharedArrayBuffer(4 * Float64Array.BYTES_PER_ELEMENT);
  rules.set({ chains: packChains([chain]), services: [], numbers: [], counters }, [
    wire.outside,
    wire.inside,
  ]);
  const ask = () => wire.fromClient({ source: "10.1.0.10", destination: "10.1.0.100", destinationPort: 53 });
  for (let i = 0; i < 5; i++) ask();
  assert.equal(logged.length, LIMITS.packetLogsPerTurn);
  assert.deepEqual(logged[0], {
    level: "warning",
    prefix: "dns: ",
    chain: "in",
    protocol: "udp",
    source: "10.1.0.10:40000",
    destination: "10.1.0.100:53",
    bytes: 28,
    mark: "0x0",
  });
  rules.turn();
  ask();
  assert.equal(logged.length, LIMITS.packetLogsPerTurn + 1);
  assert.deepEqual([...new Float64Array(counters)], [6, 6 * 28, 6, 6 * 28]);
  rules.zero();
  assert.deepEqual([...new Float64Array(counters)], [0, 0, 0, 0]);
});
