/** Checks by the path of clients' packets, in a lab: a dead service and a dead path are told apart, and in time. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ADDRESS } from "../../scripts/lab/topology.ts";
import { eventually } from "./eventually.ts";
import { LabDaemon, labTest, lvsd, onHost, PACKET_SECTION } from "./lab_daemon.ts";

const TIMING = { through: "path", interval: "1s", timeout: "500ms", fall: 2, rise: 1, downInterval: "200ms" };
const CHECK = { type: "http", path: "/who", ...TIMING };
/** interval x fall + timeout. */
const PROMISE_MS = 1_000 * 2 + 500;

const CONFIG = {
  admin: { socket: "off" },
  packet: PACKET_SECTION,
  services: [
    {
      name: "dr",
      listen: `${ADDRESS.virtual4}:80`,
      mode: "dr",
      healthCheck: CHECK,
      destinations: ["172.16.0.12"],
    },
    {
      name: "tun",
      listen: `[${ADDRESS.virtual6}]:80`,
      mode: "tun",
      healthCheck: CHECK,
      destinations: ["[fd00:2::13]"],
    },
    {
      name: "dns",
      protocol: "udp",
      listen: `${ADDRESS.virtual4}:53`,
      mode: "dr",
      // A question for who.lab, type A; the answer repeats the identification.
      healthCheck: {
        ...{ type: "udp", ...TIMING },
        send: { hex: "4c56 0100 0001 0000 0000 0000 03 77686f 03 6c6162 00 0001 0001" },
        expect: { hex: "4c56" },
      },
      destinations: ["172.16.0.12"],
    },
  ],
};

interface Fault {
  readonly service: "dr" | "tun" | "dns";
  readonly host: string;
  readonly what: string;
  readonly break: string;
  readonly mend: string;
  readonly reason: string;
}

function faults(folder: string): Fault[] {
  const nginx = (server: string) => ({
    break:
      `nginx -c ${folder}/${server}.nginx.conf -s stop; while ss -ltn | grep -q :80; do sleep 0.02; done`,
    mend: `nginx -c ${folder}/${server}.nginx.conf`,
  });
  const addresses = `ip addr del ${ADDRESS.virtual4}/32 dev lo`;
  return [
    { service: "dr", host: "rs2", what: "service dead", ...nginx("rs2"), reason: "refused" },
    { service: "tun", host: "rs3", what: "service dead", ...nginx("rs3"), reason: "refused" },
    {
      ...{ service: "dr", host: "rs2", what: "path dead, the server lives", reason: "path" },
      break: addresses,
      mend: `ip addr add ${ADDRESS.virtual4}/32 dev lo`,
    },
    {
      ...{ service: "tun", host: "rs3", what: "tunnel down, the server lives", reason: "path" },
      break: "ip link set lvsd0 down",
      mend: "ip link set lvsd0 up",
    },
    {
      ...{ service: "tun", host: "rs3", what: "the whole server is gone", reason: "timeout" },
      break: "ip link set eth0 down",
      mend:
        "ip link set eth0 up && ip -6 addr replace fd00:2::13/64 dev eth0 nodad && ip -6 route replace fd00:1::/64 via fd00:2::10",
    },
    {
      ...{ service: "dns", host: "rs2", what: "service dead", reason: "refused" },
      break: `kill $(cat ${folder}/rs2.dnsmasq.pid)`,
      mend: "true",
    },
  ];
}

labTest(
  "checks by the path: a dead service and a dead path are told apart",
  "h",
  "tun",
  async (folder, t) => {
    const config = join(folder, "lvsd.yaml");
    await Deno.writeTextFile(config, JSON.stringify(CONFIG));
    await using daemon = await LabDaemon.start(lvsd("run", "-c", config));
    const health = async (service: string) => (await daemon.service(service)).destinations[0]?.health;
    for (const service of ["dr", "tun"]) {
      await eventually(`${service} is up`, async () => (await health(service))?.detail === "HTTP 200 OK");
    }
    await eventually("dns is up", async () => /^answered/.test((await health("dns"))?.detail ?? ""));
    for (const fault of faults(folder)) {
      await t.step(`${fault.service}: ${fault.what}: ${fault.reason}`, async () => {
        await onHost(fault.host, fault.break);
        const brokenMs = Date.now();
        await eventually("down", async () => (await health(fault.service))?.up === false);
        const told = await health(fault.service);
        assert.equal(told?.reason, fault.reason, told?.detail);
        const change = told.history.at(-1);
        const afterMs = Date.parse(change?.atWall ?? "") - brokenMs;
        assert.ok(afterMs <= PROMISE_MS, `${afterMs} ms, not ${PROMISE_MS} ms`);
        assert.match(
          await daemon.metrics(),
          new RegExp(
            `lvs_destination_down_reason\\{service="${fault.service}",[^}]*reason="${fault.reason}"\\} 1`,
          ),
        );
        await onHost(fault.host, fault.mend);
        if (fault.mend === "true") return;
        await eventually("up again", async () => (await health(fault.service))?.up === true);
      });
    }
  },
);
