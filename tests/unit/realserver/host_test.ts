/**
 * A real server's host: what is set, in which order, what is put back, what is found wrong.
 */
import assert from "node:assert/strict";
import { SystemError } from "../../../errors.ts";
import { IpAddress } from "../../../net/address.ts";
import { RealServerHost } from "../../../realserver/host.ts";
import type { RealServerPlan } from "../../../realserver/setup.ts";

const DR: RealServerPlan = {
  mode: "dr",
  virtualAddresses: [IpAddress.parse("10.1.0.100"), IpAddress.parse("fd00:1::100")],
  interface: "eth0",
};
const TUN: RealServerPlan = { ...DR, mode: "tun" };

/** A host of memory: switches and addresses. */
class FakeHost {
  readonly switches = new Map<string, number>(
    ["all", "eth0", "lvsd0", "eth0/100"].flatMap((on) => [
      [`net.ipv4.conf.${on}.arp_ignore`, 0],
      [`net.ipv4.conf.${on}.arp_announce`, 0],
      [`net.ipv4.conf.${on}.rp_filter`, 1],
    ]),
  );
  readonly addresses = new Map<string, string>([["127.0.0.1", "lo"]]);
  readonly commands: string[] = [];
  readonly host = new RealServerHost((words) => Promise.resolve(this.#run(words.join(" "))));

  #run(command: string): { code: number; stdout: string; stderr: string } {
    const answer = (stdout = "") => ({ code: 0, stdout, stderr: "" });
    if (command === "ip -j addr") {
      const links = [...new Set(this.addresses.values())].map((ifname) => ({
        ifname,
        addr_info: [...this.addresses].filter(([, on]) => on === ifname).map(([local]) => ({ local })),
      }));
      return answer(JSON.stringify(links));
    }
    const [, name] = /^sysctl -n (\S+)$/.exec(command) ?? [];
    if (name !== undefined) {
      const value = this.switches.get(name);
      return value === undefined
        ? { code: 255, stdout: "", stderr: `sysctl: cannot stat ${name}` }
        : answer(`${value}\n`);
    }
    this.commands.push(command);
    const [, wanted, value] = /^sysctl -w (\S+)=(\d+)$/.exec(command) ?? [];
    if (wanted !== undefined) this.switches.set(wanted, Number(value));
    const [, verb, address] = /addr (add|del) (\S+)\/\d+ dev lo/.exec(command) ?? [];
    if (verb === "add" && address !== undefined) this.addresses.set(address, "lo");
    if (verb === "del" && address !== undefined) this.addresses.delete(address);
    return answer();
  }
}

Deno.test("neighbours are silenced before the addresses come", async () => {
  const { host, commands } = new FakeHost();
  await host.setUp(DR);
  assert.deepEqual(commands, [
    "sysctl -w net.ipv4.conf.all.arp_ignore=1",
    "sysctl -w net.ipv4.conf.eth0.arp_ignore=1",
    "sysctl -w net.ipv4.conf.all.arp_announce=2",
    "sysctl -w net.ipv4.conf.eth0.arp_announce=2",
    "ip addr add 10.1.0.100/32 dev lo",
    "ip -6 addr add fd00:1::100/128 dev lo nodad",
  ]);
  assert.deepEqual(host.commands(DR).map((it) => it.join(" ")), commands, "--dry-run says the same");
});

Deno.test("what is right already stays, and undoing puts back what was", async () => {
  const fake = new FakeHost();
  fake.switches.set("net.ipv4.conf.all.arp_ignore", 2);
  fake.addresses.set("10.1.0.100", "lo");
  const before = new Map(fake.switches);
  const memory = await fake.host.setUp(TUN);
  assert.equal(fake.switches.get("net.ipv4.conf.all.arp_ignore"), 2);
  assert.equal(fake.switches.get("net.ipv4.conf.lvsd0.rp_filter"), 0);
  assert.deepEqual(await fake.host.problems(TUN), []);
  await fake.host.undo(TUN, memory);
  assert.deepEqual([...fake.addresses.keys()], ["127.0.0.1"]);
  before.set("net.ipv4.conf.lvsd0.rp_filter", 0);
  assert.deepEqual(fake.switches, before, "the device's own switch goes with the device");
});

Deno.test("a loose reverse path filter drops nothing out of a tunnel, and stays", async () => {
  const fake = new FakeHost();
  fake.switches.set("net.ipv4.conf.all.rp_filter", 2);
  await fake.host.setUp(TUN);
  assert.equal(fake.switches.get("net.ipv4.conf.all.rp_filter"), 2);
  assert.deepEqual(await fake.host.problems(TUN), []);
});

Deno.test("an interface that there is not is told, and nothing was changed", async () => {
  for (const plan of [DR, TUN]) {
    const { host, commands } = new FakeHost();
    await assert.rejects(host.setUp({ ...plan, interface: "eht0" }), {
      code: "INTERFACE_MISSING",
      message: /^this host has no interface "eht0"; .*--interface NAME/,
    });
    assert.deepEqual(commands, []);
  }
});

Deno.test("everything wrong is found", async () => {
  const fake = new FakeHost();
  fake.addresses.set("10.1.0.100", "eth0");
  const problems = await fake.host.problems(TUN);
  assert.equal(problems.length, 8);
  assert.match(problems[0] ?? "", /10\.1\.0\.100 is on eth0/);
  assert.match(problems[1] ?? "", /fd00:1::100 is not an address of this host/);
  assert.match(problems[2] ?? "", /all\.arp_ignore is 0 and should be at least 1/);
  assert.match(problems[7] ?? "", /lvsd0\.rp_filter is 1 and should be 0, or 2/);
});

Deno.test("a VLAN's interface has a slash in its switches' names, as sysctl(8) wants it", async () => {
  const fake = new FakeHost();
  await fake.host.setUp({ ...DR, interface: "eth0.100" });
  assert.deepEqual(fake.commands.filter((it) => it.includes("eth0")), [
    "sysctl -w net.ipv4.conf.eth0/100.arp_ignore=1",
    "sysctl -w net.ipv4.conf.eth0/100.arp_announce=2",
  ]);
});

Deno.test("a program that is missing is told, and not taken for a switch that is not there", async () => {
  const host = new RealServerHost((words) => {
    if (words[0] === "ip") return Promise.resolve({ code: 0, stdout: "[]", stderr: "" });
    throw new SystemError("COMMAND_MISSING", "sysctl is not installed");
  });
  await assert.rejects(host.problems(DR), { message: "sysctl is not installed" });
  await assert.rejects(host.setUp(DR), { message: "sysctl is not installed" });
});
