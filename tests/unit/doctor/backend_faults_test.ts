/** One fault at a time on a real server: the doctor names it, and nothing else. */
import assert from "node:assert/strict";
import { loadConfig } from "../../../config/load.ts";
import { backendQuestions, diagnoseBackend } from "../../../doctor/backend.ts";
import { backendFindings, type BackendQuestion } from "../../../doctor/backend_checks.ts";
import { isHealthy } from "../../../doctor/finding.ts";
import { IpAddress } from "../../../net/address.ts";
import { FakeHost } from "./fake_host.ts";

const VIP = "10.0.0.100";

function question(more: Partial<BackendQuestion> = {}): BackendQuestion {
  return { mode: "dr", virtualAddress: IpAddress.parse(VIP), protocol: "tcp", port: 80, ...more };
}

function readyHost(): FakeHost {
  return new FakeHost().give("lo", `${VIP}/32`);
}

type Fault = readonly [
  title: string,
  asked: Partial<BackendQuestion>,
  host: () => FakeHost,
  id: string,
  mend: RegExp,
];

const TUN = { mode: "tun" } as const;
const NAT = { mode: "nat", director: IpAddress.parse("10.0.0.254") } as const;

const FAULTS: readonly Fault[] = [
  ["VIP missing", {}, () => new FakeHost(), "vip-not-on-lo", /^ip addr add 10\.0\.0\.100\/32 dev lo$/],
  [
    "VIP on the segment",
    {},
    () => new FakeHost().give("eth0", `${VIP}/24`),
    "vip-on-segment",
    /^ip addr del 10\.0\.0\.100\/24 dev eth0 && ip addr add 10\.0\.0\.100\/32 dev lo$/,
  ],
  [
    "VIP with a network's prefix",
    {},
    () => new FakeHost().give("lo", `${VIP}/24`),
    "vip-prefix",
    /^ip addr del 10\.0\.0\.100\/24 dev lo && /,
  ],
  [
    "arp_ignore",
    {},
    () => readyHost().set("net.ipv4.conf.eth0.arp_ignore", 0),
    "arp-ignore",
    /^sysctl -w net\.ipv4\.conf\.all\.arp_ignore=1$/,
  ],
  [
    "arp_announce",
    {},
    () => readyHost().set("net.ipv4.conf.all.arp_announce", 1),
    "arp-announce",
    /^sysctl -w net\.ipv4\.conf\.all\.arp_announce=2$/,
  ],
  [
    "no tunnel device",
    TUN,
    () => {
      const host = readyHost();
      host.folders.set("/sys/class/net", ["lo", "eth0"]);
      return host;
    },
    "tunnel-missing",
    /^lvsd realserver tun --vip 10\.0\.0\.100 &$/,
  ],
  [
    "no tunnel device, and the kernel has the driver",
    TUN,
    () => {
      const host = readyHost();
      host.folders.set("/sys/class/net", ["lo", "eth0"]);
      host.files.set("/proc/sys/kernel/osrelease", "6.1.0");
      host.files.set("/lib/modules/6.1.0/modules.dep", "kernel/net/ipv4/ipip.ko: kernel/net/ipv4/tunnel4.ko");
      return host;
    },
    "tunnel-missing",
    /^modprobe ipip && ip link set dev tunl0 up$/,
  ],
  [
    "tunnel down",
    TUN,
    () => {
      const host = readyHost();
      host.files.set("/sys/class/net/tunl0/flags", "0x80");
      return host;
    },
    "tunnel-down",
    /^ip link set dev tunl0 up$/,
  ],
  [
    "rp_filter strict for all",
    TUN,
    () => readyHost().set("net.ipv4.conf.all.rp_filter", 1),
    "rp-filter",
    /^sysctl -w net\.ipv4\.conf\.all\.rp_filter=0 net\.ipv4\.conf\.tunl0\.rp_filter=0$/,
  ],
  [
    "rp_filter strict for the tunnel",
    TUN,
    () => readyHost().set("net.ipv4.conf.tunl0.rp_filter", 1),
    "rp-filter",
    /^sysctl -w net\.ipv4\.conf\.tunl0\.rp_filter=0$/,
  ],
  [
    "no default route",
    {},
    () => {
      const host = readyHost();
      host.files.set("/proc/net/route", "Iface\neth0 0000000A 00000000 0001 0 0 0 00FFFFFF");
      return host;
    },
    "no-default-route",
    /^ip route add default dev eth0$/,
  ],
  [
    "server on its own address alone",
    {},
    () => {
      const host = readyHost();
      host.files.set("/proc/net/tcp", "  sl local\n 0: 0200000A:0050 00000000:0000 0A 0:0 0:0 0 0 0 4711 1");
      return host;
    },
    "server-not-on-vip",
    /^# let the server listen on 10\.0\.0\.100:80/,
  ],
  [
    "nothing listens",
    { port: 81 },
    readyHost,
    "server-not-on-vip",
    /10\.0\.0\.100:81/,
  ],
  [
    "NAT: the gateway is not the director",
    NAT,
    () => new FakeHost(),
    "nat-gateway",
    /^ip route replace default via 10\.0\.0\.254$/,
  ],
  [
    "NAT: redirects are believed",
    { mode: "nat", director: IpAddress.parse("10.0.0.1") },
    () => new FakeHost().set("net.ipv4.conf.all.accept_redirects", 1),
    "accept-redirects",
    /accept_redirects=0$/,
  ],
  [
    "NAT: the VIP is here too",
    { mode: "nat" },
    readyHost,
    "vip-on-nat-server",
    /^ip addr del 10\.0\.0\.100/,
  ],
];

for (const [title, asked, host, id, mend] of FAULTS) {
  Deno.test(`doctor, real server: ${title}: ${id}`, () => {
    const findings = backendFindings(host(), question(asked));
    assert.deepEqual(findings.map((it) => it.id), [id]);
    assert.match(findings[0]?.mend ?? "", mend);
  });
}

Deno.test("doctor, real server: nothing is wrong with a sound one", () => {
  assert.deepEqual(backendFindings(readyHost(), question()), []);
  assert.deepEqual(backendFindings(readyHost(), question(TUN)), []);
});

Deno.test("doctor, real server: a virtual address on loopback is hidden from nobody, and stays where it is", () => {
  const virtualAddress = IpAddress.parse("127.0.0.1");
  const ids = backendFindings(new FakeHost(), question({ virtualAddress })).map((it) => it.id);
  assert.deepEqual(ids.filter((it) => /^(vip|arp)-/.test(it)), []);
});

Deno.test("doctor, real server: the switches of a VLAN's interface are read", () => {
  const host = new FakeHost().set("net.ipv4.conf.eth0.arp_ignore", 0).give("eth0.100", "10.0.0.2/24");
  host.own.splice(host.own.findIndex((it) => it.interface === "eth0"), 1);
  host.give("lo", `${VIP}/32`);
  host.files.set("/proc/sys/net/ipv4/conf/eth0.100/arp_ignore", "1");
  assert.deepEqual(backendFindings(host, question()).map((it) => it.id), []);
});

Deno.test("doctor, real server: 2 is loose, and the larger of all and the interface counts", () => {
  const host = readyHost().set("net.ipv4.conf.all.rp_filter", 2).set("net.ipv4.conf.tunl0.rp_filter", 1);
  assert.deepEqual(backendFindings(host, question(TUN)), []);
});

Deno.test("doctor, real server: the config says which address of the director is the gateway", () => {
  const config = loadConfig(
    JSON.stringify({
      packet: {
        interfaces: [{ name: "d0", addresses: ["10.9.0.1/24"] }, { name: "d1", addresses: ["10.0.0.1/24"] }],
      },
      services: [{ listen: `${VIP}:80`, engine: "packet", destinations: ["10.0.0.2:80"] }],
    }),
    "test.yaml",
    () => undefined,
  );
  const host = new FakeHost();
  const [asked] = backendQuestions(config, host);
  assert.equal(String(asked?.director), "10.0.0.1");
});

Deno.test("doctor, real server: the config says what it is a server of", () => {
  const config = loadConfig(
    JSON.stringify({
      services: [
        { listen: `${VIP}:80`, mode: "dr", destinations: ["10.0.0.2", "10.0.0.3"] },
        { listen: "10.0.0.101:80", mode: "dr", destinations: ["10.0.0.3"] },
      ],
    }),
    "test.yaml",
    () => undefined,
  );
  const host = readyHost();
  const diagnosis = diagnoseBackend(host, backendQuestions(config, host));
  assert.deepEqual(diagnosis.services.map((it) => [it.service, it.life]), [[`${VIP}:80`, "real"]]);
  assert.ok(isHealthy(diagnosis));
  assert.equal(isHealthy(diagnoseBackend(host, [])), false);
});
