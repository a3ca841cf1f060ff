/**
 * What concerns every service on this host: descriptors, ports, backlog, clock, another director.
 *
 * @module
 */
import type { Finding } from "./finding.ts";
import { type Host, sysctl } from "./host.ts";

/** One connection by sockets has two descriptors: 4,096 are 2,000 connections. */
const DESCRIPTORS_WANTED = 4_096;
const DESCRIPTORS_ADVISED = 65_536;
/** Ephemeral ports towards one real server. */
const PORTS_WANTED = 20_000;
const BACKLOG_WANTED = 1_024;
/** 2024-01-01: a clock before it was never set. */
const PLAUSIBLE_WALL_MS = 1_704_067_200_000;
/** Clock sources that cost a trip to a device for each look: microseconds in place of nanoseconds. */
const SLOW_CLOCKS: readonly string[] = ["hpet", "acpi_pm", "jiffies", "pit"];
const CLOCK_FOLDER = "/sys/devices/system/clocksource/clocksource0";

/** A look at the host. */
export type HostCheck = (host: Host) => Iterable<Finding>;

/** All of them, in the order in which they are shown. */
export const HOST_CHECKS: readonly HostCheck[] = [
  blindness,
  descriptors,
  localPorts,
  backlog,
  wallClock,
  clockSource,
  connectionTracking,
  kernelDirector,
];

/** What cannot be seen is not found: then silence is no good news. */
export function* blindness(host: Host): Iterable<Finding> {
  if (!host.isBlind) return;
  yield warning(
    "blind",
    "Deno does not let lvsd read /proc and /sys: capabilities, switches, routes and who holds a port are unknown, " +
      "and what is said of them here is a guess",
    "# start it with --allow-all, as ./lvsd doctor and the built file do",
  );
}

function* descriptors(host: Host): Iterable<Finding> {
  const [, soft = ""] = /^Max open files\s+(\d+)/m.exec(host.read("/proc/self/limits") ?? "") ?? [];
  if (soft === "" || Number(soft) >= DESCRIPTORS_WANTED) return;
  yield warning(
    "descriptors",
    `${soft} file descriptors are for some ${Math.floor(Number(soft) / 2)} connections by sockets`,
    `ulimit -n ${DESCRIPTORS_ADVISED}`,
  );
}

function* localPorts(host: Host): Iterable<Finding> {
  const [first, last] = (host.read("/proc/sys/net/ipv4/ip_local_port_range") ?? "").split(/\s+/).map(Number);
  if (first === undefined || last === undefined || last - first + 1 >= PORTS_WANTED) return;
  yield warning(
    "local-ports",
    `${
      last - first + 1
    } local ports (${first} to ${last}) bound the connections by sockets to one real server`,
    'sysctl -w net.ipv4.ip_local_port_range="1024 65535"',
  );
}

function* backlog(host: Host): Iterable<Finding> {
  const most = sysctl(host, "net.core.somaxconn");
  if (most === undefined || most >= BACKLOG_WANTED) return;
  yield warning(
    "backlog",
    `only ${most} connections may wait to be accepted (net.core.somaxconn); a burst of more loses SYNs`,
    "sysctl -w net.core.somaxconn=4096",
  );
}

function* wallClock(host: Host): Iterable<Finding> {
  const wallMs = host.wallMs();
  if (wallMs >= PLAUSIBLE_WALL_MS) return;
  yield warning(
    "wall-clock",
    `the clock says ${new Date(wallMs).toISOString()}; log times and certificate checks will be wrong`,
    "timedatectl set-ntp true",
  );
}

function* clockSource(host: Host): Iterable<Finding> {
  const current = host.read(`${CLOCK_FOLDER}/current_clocksource`);
  if (current === undefined || !SLOW_CLOCKS.includes(current)) return;
  const available = (host.read(`${CLOCK_FOLDER}/available_clocksource`) ?? "").split(/\s+/);
  const better = available.find((it) => it !== "" && !SLOW_CLOCKS.includes(it));
  yield warning(
    "clock-source",
    `the clock source ${current} is slow, and each connection reads the clock some ten times`,
    better === undefined
      ? "# no faster clock source is offered by this machine; see the kernel log for why tsc is unstable"
      : `echo ${better} > ${CLOCK_FOLDER}/current_clocksource`,
  );
}

function* connectionTracking(host: Host): Iterable<Finding> {
  const count = sysctl(host, "net.netfilter.nf_conntrack_count");
  const most = sysctl(host, "net.netfilter.nf_conntrack_max");
  if (count === undefined || most === undefined || most === 0 || count < most * 0.8) return;
  yield warning(
    "conntrack-full",
    `the host tracks ${count} of at most ${most} connections; when it is full, new ones are dropped`,
    `sysctl -w net.netfilter.nf_conntrack_max=${most * 4}`,
  );
}

function* kernelDirector(host: Host): Iterable<Finding> {
  const services = (host.read("/proc/net/ip_vs") ?? "").split("\n").filter((it) => /^(TCP|UDP|FWM)/.test(it));
  if (services.length === 0) return;
  yield warning(
    "kernel-director",
    `the kernel's own director has ${services.length} service(s) and takes their packets before lvsd sees them`,
    "ipvsadm --clear",
  );
}

function warning(id: string, text: string, mend: string): Finding {
  return { id, effect: "warns", subject: "", text, mend };
}
