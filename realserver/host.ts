/**
 * A real server's host: sets it up, undoes that, and tells what is wrong with it.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { interfaceSwitchName } from "../net/interface_switch.ts";
import {
  addressCommands,
  type RealServerPlan,
  switchProblem,
  TUNNEL_DEVICE,
  wantedSwitches,
} from "./setup.ts";

/** Runs a program; its exit code and what it said. */
export type RunProgram = (
  words: readonly string[],
) => Promise<{ code: number; stdout: string; stderr: string }>;

/** What was before, to be put back. */
export interface HostMemory {
  readonly switches: readonly { readonly name: string; readonly value: number }[];
}

/** The host that this process runs on, or a stand-in. */
export class RealServerHost {
  readonly #run: RunProgram;

  constructor(run: RunProgram) {
    this.#run = run;
  }

  /** Every command of {@linkcode setUp}, for reading. */
  commands(plan: RealServerPlan): string[][] {
    return [
      ...wantedSwitches(plan).map(({ name, value }) => ["sysctl", "-w", `${name}=${value}`]),
      ...(plan.mode === "tun" ? [["ip", "link", "set", TUNNEL_DEVICE, "up"]] : []),
      ...addressCommands(plan, "add"),
    ];
  }

  /**
   * Makes the host a real server. What is right already stays.
   *
   * @throws {SystemError} `INTERFACE_MISSING` before anything was changed, `COMMAND_FAILED`
   */
  async setUp(plan: RealServerPlan): Promise<HostMemory> {
    const before = await this.#readAll(plan);
    const present = await this.#addresses();
    const switches: { name: string; value: number }[] = [];
    if (plan.mode === "tun") await this.#must(["ip", "link", "set", TUNNEL_DEVICE, "up"]);
    for (const wanted of wantedSwitches(plan)) {
      const now = before.get(wanted.name);
      if (now === undefined || switchProblem(wanted, now) === undefined) continue;
      await this.#must(["sysctl", "-w", `${wanted.name}=${wanted.value}`]);
      switches.push({ name: wanted.name, value: now });
    }
    for (const [i, command] of addressCommands(plan, "add").entries()) {
      if (!present.has(`${plan.virtualAddresses[i]}`)) await this.#must(command);
    }
    return { switches };
  }

  /** Takes the addresses away and puts switches back. */
  async undo(plan: RealServerPlan, memory: HostMemory): Promise<void> {
    const present = await this.#addresses();
    for (const [i, command] of addressCommands(plan, "del").entries()) {
      if (present.has(`${plan.virtualAddresses[i]}`)) await this.#must(command);
    }
    for (const { name, value } of memory.switches.toReversed()) {
      // The device's own switches went with the device.
      if (!name.includes(`.${TUNNEL_DEVICE}.`)) await this.#must(["sysctl", "-w", `${name}=${value}`]);
    }
  }

  /** What is wrong, a sentence each. */
  async problems(plan: RealServerPlan): Promise<string[]> {
    const problems: string[] = [];
    const present = await this.#addresses();
    for (const address of plan.virtualAddresses) {
      const on = present.get(`${address}`);
      if (on === undefined) {
        problems.push(`${address} is not an address of this host: requests for it are not taken`);
      } else if (on !== "lo") {
        problems.push(`${address} is on ${on}, where neighbours are answered; put it on lo`);
      }
    }
    for (const wanted of wantedSwitches(plan)) {
      const now = await this.#read(wanted.name).catch((error) => {
        if (error instanceof SystemError && error.code === "COMMAND_FAILED") return undefined;
        throw error;
      });
      const problem = now === undefined
        ? `${wanted.name} is not there; is ${plan.interface} the right interface, and the tunnel up?`
        : switchProblem(wanted, now);
      if (problem !== undefined) problems.push(problem);
    }
    return problems;
  }

  /** Device by address. */
  async #addresses(): Promise<Map<string, string>> {
    const links = JSON.parse(await this.#must(["ip", "-j", "addr"])) as {
      ifname: string;
      addr_info?: { local?: string }[];
    }[];
    return new Map(
      links.flatMap(({ ifname, addr_info = [] }) =>
        addr_info.flatMap(({ local }): [string, string][] => local === undefined ? [] : [[local, ifname]])
      ),
    );
  }

  /** Whether the interface is there shows before the first switch of the whole host is changed. */
  async #readAll(plan: RealServerPlan): Promise<ReadonlyMap<string, number>> {
    const values = new Map<string, number>();
    for (const { name } of wantedSwitches(plan)) {
      try {
        values.set(name, await this.#read(name));
      } catch (error) {
        const isOwn = name === interfaceSwitchName(plan.interface, name.split(".").at(-1) ?? "");
        if (!(error instanceof SystemError) || error.code !== "COMMAND_FAILED" || !isOwn) throw error;
        throw new SystemError(
          "INTERFACE_MISSING",
          `this host has no interface "${plan.interface}"; name the one towards the director with --interface NAME, ` +
            "see: ip -br link; nothing was changed",
          { interface: plan.interface },
          error,
        );
      }
    }
    return values;
  }

  async #read(name: string): Promise<number> {
    return Number(await this.#must(["sysctl", "-n", name]));
  }

  async #must(words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#run(words);
    if (code === 0) return stdout;
    throw new SystemError(
      "COMMAND_FAILED",
      `${words.join(" ")}: exit code ${code}: ${stderr.trim()}; a real server is set up as root`,
      { code },
    );
  }
}
