/** One fault at a time on a director: the doctor names it, and nothing else. */
import assert from "node:assert/strict";
import { loadConfig } from "../../../config/load.ts";
import { diagnose } from "../../../doctor/diagnosis.ts";
import type { Effect, Life } from "../../../doctor/finding.ts";
import { FakeHost } from "./fake_host.ts";

const NAT = { name: "web", listen: "10.0.0.2:8080", destinations: ["10.0.0.11:80"] };
const DR = { name: "web", listen: "10.0.0.100:80", mode: "dr", destinations: ["10.0.0.11"] };
const TUN = { ...DR, mode: "tun" };

interface Fault {
  readonly title: string;
  readonly service: Record<string, unknown>;
  readonly break: (host: FakeHost) => unknown;
  readonly finding: string;
  readonly effect: Effect;
  readonly life: Life;
  readonly mend: RegExp;
}

function fault(
  title: string,
  service: Record<string, unknown>,
  breakIt: (host: FakeHost) => unknown,
  [finding, effect, life]: readonly [string, Effect, Life],
  mend: RegExp,
): Fault {
  return { title, service, break: breakIt, finding, effect, life, mend };
}

const SETCAP = /^setcap cap_net_raw,cap_net_admin\+ep /;
const capabilities = (hex: string) => (it: FakeHost) => it.files.set("/proc/self/status", `CapEff:\t${hex}`);

const FAULTS: readonly Fault[] = [
  fault("no CAP_NET_RAW", DR, (it) => capabilities("000001ffffffdfff")(it.give("lo", "10.0.0.100")), [
    "capability-net-raw",
    "emulates",
    "emulated",
  ], SETCAP),
  fault("another host has the VIP", DR, (it) => it.neighbours.set("eth0 10.0.0.100", ["02:00:00:00:00:09"]), [
    "vip-answered-elsewhere",
    "stops",
    "impossible",
  ], /^# find the host .* grep 02:00:00:00:00:09$/),
  fault(
    "a real server answers ARP for the VIP",
    TUN,
    (it) =>
      it.neighbours.set("eth0 10.0.0.100", ["02:00:00:00:00:09"]).set("eth0 10.0.0.11", [
        "02:00:00:00:00:09",
      ]),
    ["vip-answered-elsewhere", "stops", "impossible"],
    /^sysctl -w net\.ipv4\.conf\.all\.arp_ignore=1 /,
  ),
  fault("a path that swallows packets", TUN, (it) => it.knocks.set("10.0.0.100:80 10.0.0.11", "silent"), [
    "path-silent",
    "stops",
    "impossible",
  ], /^lvsd doctor --backend --vip 10\.0\.0\.100 --mode tun --port 80$/),
  fault("nobody listens on the VIP", DR, (it) => it.knocks.set("10.0.0.100:80 10.0.0.11", "refused"), [
    "path-refused",
    "stops",
    "impossible",
  ], /^lvsd doctor --backend /),
  fault(
    "no FFI",
    DR,
    (it) => it.give("lo", "10.0.0.100").hasFfi = false,
    ["ffi", "emulates", "emulated"],
    /--allow-ffi/,
  ),
  fault("another system", DR, (it) => it.give("lo", "10.0.0.100").system = "darwin", [
    "system",
    "emulates",
    "emulated",
  ], /Linux/),
  fault("VIP on the host", DR, (it) => it.give("eth0", "10.0.0.100/24"), [
    "vip-on-host",
    "warns",
    "real",
  ], /^ip addr del 10\.0\.0\.100\/24 dev eth0$/),
  fault(
    "DR server behind a router",
    { ...DR, destinations: ["10.9.0.1"] },
    (it) => it.give("lo", "10.0.0.100"),
    [
      "dr-off-link",
      "emulates",
      "emulated",
    ],
    /^# in test\.yaml: give eth0 an address in the network of 10\.9\.0\.1/,
  ),
  fault("MTU too small for ipip", TUN, (it) => it.files.set("/sys/class/net/eth0/mtu", "1500"), [
    "mtu-room",
    "warns",
    "real",
  ], /^ip link set dev eth0 mtu 1520$/),
  fault("VIP not on the host", { ...NAT, listen: "10.0.0.100:8080" }, () => {}, [
    "vip-missing",
    "stops",
    "impossible",
  ], /^ip addr add 10\.0\.0\.100\/32 dev lo$/),
  fault("IPv6 VIP not on the host", { ...NAT, listen: "[fd00::9]:8080" }, () => {}, [
    "vip-missing",
    "stops",
    "impossible",
  ], /^ip -6 addr add fd00::9\/128 dev lo nodad$/),
  fault(
    "IPv6 switched off",
    { ...NAT, listen: "[::]:8080" },
    (it) => it.set("net.ipv6.conf.all.disable_ipv6", 1),
    ["ipv6-disabled", "stops", "impossible"],
    /^sysctl -w net\.ipv6\.conf\.all\.disable_ipv6=0$/,
  ),
  fault("privileged port", { ...NAT, listen: "10.0.0.2:443" }, capabilities("0"), [
    "privileged-port",
    "stops",
    "impossible",
  ], /^sysctl -w net\.ipv4\.ip_unprivileged_port_start=443$/),
  fault(
    "port taken",
    NAT,
    (it) => {
      it.binds.set("10.0.0.2:8080", "taken");
      it.holder = { pid: 812, command: "nginx: master" };
    },
    ["port-taken", "stops", "impossible"],
    /^kill 812$/,
  ),
  fault("port taken by somebody unseen", NAT, (it) => it.binds.set("10.0.0.2:8080", "taken"), [
    "port-taken",
    "stops",
    "impossible",
  ], /^ss -ltnp/),
  fault("bind forbidden", NAT, (it) => it.binds.set("10.0.0.2:8080", "denied"), [
    "bind-denied",
    "stops",
    "impossible",
  ], /--allow-net/),
  fault("bind failed", NAT, (it) => it.binds.set("10.0.0.2:8080", "failed"), [
    "bind-failed",
    "stops",
    "impossible",
  ], /^ss -lnp/),
  fault("unknown name", { ...NAT, destinations: ["web.internal:80"] }, () => {}, [
    "name-unresolved",
    "stops",
    "impossible",
  ], /getent hosts web\.internal/),
  fault(
    "a name that is our own listener",
    { ...NAT, listen: ":8080", destinations: ["me.internal:8080"] },
    (it) => it.names.set("me.internal", "10.0.0.2"),
    ["loop", "stops", "impossible"],
    /^# in test\.yaml/,
  ),
  fault(
    "no route",
    { ...NAT, destinations: ["192.168.5.1:80"] },
    (it) => {
      const routes = it.files.get("/proc/net/route") ?? "";
      it.files.set("/proc/net/route", routes.split("\n").filter((line) => !line.includes("0003")).join("\n"));
    },
    ["no-route", "stops", "impossible"],
    /^ip route add 192\.168\.5\.1 dev eth0$/,
  ),
  fault("link down", NAT, (it) => it.files.set("/sys/class/net/eth0/operstate", "down"), [
    "link-down",
    "stops",
    "impossible",
  ], /^ip link set dev eth0 up$/),
  fault("server refuses", NAT, (it) => it.connects.set("10.0.0.11:80", "refused"), [
    "server-refused",
    "stops",
    "impossible",
  ], /^# on 10\.0\.0\.11: start the server/),
  fault("server silent", NAT, (it) => it.connects.set("10.0.0.11:80", "silent"), [
    "server-silent",
    "stops",
    "impossible",
  ], /ip route get 10\.0\.0\.11/),
  fault("a DR server that listens on the VIP alone", DR, (it) => it.connects.set("10.0.0.11:80", "refused"), [
    "server-refused",
    "warns",
    "real",
  ], /ss -ltn/),
  fault(
    "few descriptors",
    NAT,
    (it) => {
      it.files.set(
        "/proc/self/limits",
        "Max open files            1024                 4096                 files",
      );
    },
    ["descriptors", "warns", "real"],
    /^ulimit -n 65536$/,
  ),
  fault("few local ports", NAT, (it) => it.set("net.ipv4.ip_local_port_range", "40000\t41000"), [
    "local-ports",
    "warns",
    "real",
  ], /^sysctl -w net\.ipv4\.ip_local_port_range=/),
  fault(
    "short backlog",
    NAT,
    (it) => it.set("net.core.somaxconn", 128),
    ["backlog", "warns", "real"],
    /=4096$/,
  ),
  fault("clock never set", NAT, (it) => it.nowMs = 0, ["wall-clock", "warns", "real"], /^timedatectl/),
  fault(
    "slow clock",
    NAT,
    (it) => {
      it.files.set("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet");
    },
    ["clock-source", "warns", "real"],
    /^echo tsc > /,
  ),
  fault(
    "connection tracking nearly full",
    NAT,
    (it) => it.set("net.netfilter.nf_conntrack_count", 900).set("net.netfilter.nf_conntrack_max", 1_000),
    ["conntrack-full", "warns", "real"],
    /nf_conntrack_max=4000$/,
  ),
  fault(
    "the kernel's director",
    NAT,
    (it) => {
      it.files.set("/proc/net/ip_vs", "IP Virtual Server version 1.2.1\nTCP  0A000002:1F90 wlc");
    },
    ["kernel-director", "warns", "real"],
    /^ipvsadm --clear$/,
  ),
];

for (const { title, service, break: breakIt, finding, effect, life, mend } of FAULTS) {
  Deno.test(`doctor, director: ${title}: ${finding}`, async () => {
    const host = new FakeHost();
    breakIt(host);
    const diagnosis = await diagnose(configOf(service), host);
    const found = [...diagnosis.host, ...diagnosis.services.flatMap((it) => it.findings)];
    assert.deepEqual(found.map((it) => [it.id, it.effect]), [[finding, effect]]);
    assert.match(found[0]?.mend ?? "", mend);
    assert.equal(diagnosis.services[0]?.life, life);
  });
}

for (const service of [NAT, DR, TUN]) {
  Deno.test(`doctor, director: nothing is wrong with a sound host, mode ${service === NAT ? "nat" : "dr or tun"}`, async () => {
    const { host, services } = await diagnose(configOf(service), new FakeHost());
    assert.deepEqual([host, services[0]?.findings, services[0]?.life], [[], [], "real"]);
  });
}

Deno.test("doctor, director: a running lvsd may hold its own port", async () => {
  const host = new FakeHost();
  host.binds.set("10.0.0.2:8080", "taken");
  host.holder = { pid: 5, command: "deno run -A /opt/lvsd/main.ts run -c /etc/lvsd.yaml" };
  const { services } = await diagnose(configOf(NAT), host);
  assert.equal(services[0]?.life, "real");
});

Deno.test("doctor, director: one dead destination of two leaves the service", async () => {
  const host = new FakeHost();
  host.connects.set("10.0.0.11:80", "refused");
  const service = { ...NAT, destinations: ["10.0.0.11:80", "10.0.0.12:80"] };
  const { services } = await diagnose(configOf(service), host);
  assert.deepEqual([services[0]?.life, services[0]?.findings.length], ["real", 1]);
});

Deno.test("doctor, director: without the section packet DR is emulated, and the VIP has to be on the host", async () => {
  const { services } = await diagnose(configOf(DR, {}), new FakeHost());
  assert.equal(services[0]?.life, "impossible");
  assert.deepEqual(services[0]?.findings.map((it) => it.id), ["packet-section", "vip-missing"]);
  const mended = await diagnose(configOf(DR, {}), new FakeHost().give("lo", "10.0.0.100"));
  assert.equal(mended.services[0]?.life, "emulated");
});

Deno.test("doctor, director: an interface that is not there, an engine by sockets", async () => {
  const host = new FakeHost().give("lo", "10.0.0.100");
  const interfaces = [{ name: "eth7", addresses: ["10.0.0.3/24"] }];
  const missing = await diagnose(configOf(DR, { packet: { interfaces } }), host);
  assert.deepEqual(missing.services[0]?.findings.map((it) => it.id), ["packet-interface"]);
  const forced = await diagnose(configOf({ ...DR, engine: "portable" }), host);
  assert.deepEqual(forced.services[0]?.findings.map((it) => it.id), ["engine-by-sockets"]);
  assert.equal(forced.services[0]?.life, "emulated");
});

const HANDED = { ...DR, destinations: [{ address: "10.0.0.2", handOver: "/run/a.sock" }] };
const TUNNELLED = {
  ...TUN,
  destinations: [{ address: "10.0.0.11", tunnelTo: { port: 7100, keyFile: "/etc/k" } }],
};
const SOCKET_FAULTS: readonly (readonly [
  title: string,
  service: Record<string, unknown>,
  fault: (host: FakeHost) => unknown,
  id: string,
  mend: RegExp,
])[] = [
  [
    "no receiver",
    HANDED,
    (it) => it.receivers.clear(),
    "receiver-missing",
    /^lvsd realserver --receive \/run\/a\.sock --to 10\.0\.0\.2:80 &$/,
  ],
  ["hand-over without FFI", HANDED, (it) => it.hasFfi = false, "hand-over-ffi", /--allow-ffi/],
  [
    "no key",
    TUNNELLED,
    (it) => it.modes.clear(),
    "key-missing",
    /umask 077 && openssl rand -hex 32 > \/etc\/k/,
  ],
  [
    "a key open to others",
    TUNNELLED,
    (it) => it.modes.set("/etc/k", 0o644),
    "key-open",
    /^chmod 600 \/etc\/k$/,
  ],
  [
    "no peer",
    TUNNELLED,
    (it) => it.connects.set("10.0.0.11:7100", "refused"),
    "tunnel-peer",
    /realserver --tunnel 10\.0\.0\.11:7100/,
  ],
];

for (const [title, service, breakIt, id, mend] of SOCKET_FAULTS) {
  Deno.test(`doctor, director: ${title}: ${id}`, async () => {
    const host = new FakeHost().give("lo", "10.0.0.100");
    host.receivers.add("/run/a.sock");
    host.modes.set("/etc/k", 0o600);
    const sound = await diagnose(configOf(service), host);
    assert.deepEqual(sound.services[0]?.findings.map((it) => it.id), ["engine-by-sockets"]);
    breakIt(host);
    const { services } = await diagnose(configOf(service), host);
    const found = services[0]?.findings.find((it) => it.effect === "stops");
    assert.equal(found?.id, id);
    assert.match(found?.mend ?? "", mend);
    assert.equal(services[0]?.life, "impossible");
  });
}

/** @param sections beside the services */
function configOf(
  service: Record<string, unknown>,
  sections: Record<string, unknown> = {
    packet: { interfaces: [{ name: "eth0", addresses: ["10.0.0.3/24"] }] },
  },
) {
  return loadConfig(JSON.stringify({ ...sections, services: [service] }), "test.yaml", () => undefined);
}
