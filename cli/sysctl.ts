/**
 * `lvsd sysctl`: the switches of the running director, as sysctl(8) lists and sets them.
 *
 * @module
 */
import type { SysctlState } from "../admin/source.ts";
import { currentSurroundings } from "../admin/socket_path.ts";
import { unknownSwitch } from "../admin/sysctl_route.ts";
import { SystemClock } from "../clock.ts";
import { bareSysctlName, SYSCTL_PREFIX } from "../director/sysctl_text.ts";
import { DirectorError, EXIT, UsageError } from "../errors.ts";
import type { Command } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";
import { printable, printableAll } from "./table.ts";

export const sysctl: Command = {
  usage: `lvsd sysctl - the switches net.ipv4.vs.* of the running director

Usage: lvsd sysctl [-a] [-n] [--explain] [--json]
       lvsd sysctl [-n] [--explain] [--json] NAME...
       lvsd sysctl [-w] NAME=VALUE...

Names are the kernel's, with or without "net.ipv4.vs.". A value that was set lasts until the daemon ends or a reload
changes the same key under "ipvs" in the config.

  -a, --all          every switch; so does no name at all
  -w, --write        only set: an argument without "=" is a mistake
  -n, --values       values without names
      --explain      what each does, and where lvsd differs from the kernel
      --json         a list of {name, value, default, meaning, effect, note}
${daemonOptionsUsage(21)}
Exit codes: 0 done, 1 no such switch (then nothing was set) or a value it does not take (those before it
were set), 2 usage, 3 no daemon.

Examples:
  lvsd sysctl -w net.ipv4.vs.expire_nodest_conn=1
  lvsd sysctl -w sync_threshold="3 50"
  lvsd sysctl --explain drop_entry
`,
  options: {
    all: { type: "boolean", short: "a" },
    write: { type: "boolean", short: "w" },
    values: { type: "boolean", short: "n" },
    explain: { type: "boolean" },
    json: { type: "boolean" },
    ...DAEMON_OPTIONS,
  },
  positionals: { least: 0, most: 64 },

  async run(args, context) {
    const wishes = args.positionals.map(parseWish);
    if (args.values.write === true) wishes.forEach(requireValue);
    const client = daemonClient(args, context, new SystemClock(), currentSurroundings());
    const known = new Map((await client.sysctls()).map((it) => [it.name as string, it]));
    const unknown = wishes.find((it) => !known.has(it.name));
    if (unknown !== undefined) {
      throw new DirectorError("SWITCH_UNKNOWN", unknownSwitch(unknown.name), { name: unknown.name });
    }
    const shown: SysctlState[] = [];
    for (const { name, value } of wishes) {
      const state = value === undefined ? known.get(name) : await client.setSysctl(name, value);
      if (state !== undefined) shown.push(state);
      if (value !== undefined && state?.effect === "none") {
        context.stderr(printable(`lvsd: ${SYSCTL_PREFIX}${name} has no effect: ${state.note}`) + "\n");
      }
    }
    const states = args.values.all === true || wishes.length === 0 ? [...known.values()] : shown;
    const withName = args.values.values !== true;
    if (args.values.json === true) context.stdout(`${JSON.stringify(printableAll(states), null, 2)}\n`);
    else for (const it of states) context.stdout(lineOf(it, withName, args.values.explain === true));
    return EXIT.ok;
  },
};

interface Wish {
  readonly name: string;
  /** Undefined: only shown. */
  readonly value: string | undefined;
}

function parseWish(word: string): Wish {
  const equals = word.indexOf("=");
  const name = bareSysctlName((equals < 0 ? word : word.slice(0, equals)).trim());
  if (name === "") {
    throw new UsageError("NAME_MISSING", `sysctl: "${word}" has no name; write NAME=VALUE without blanks`, {
      word,
    });
  }
  return { name, value: equals < 0 ? undefined : word.slice(equals + 1) };
}

function requireValue({ name, value }: Wish): void {
  if (value !== undefined) return;
  throw new UsageError("VALUE_MISSING", `sysctl -w: "${name}" has no value; write ${name}=VALUE`, { name });
}

function lineOf(
  { name, value, meaning, effect, note }: SysctlState,
  withName: boolean,
  explain: boolean,
): string {
  // The tab of a pair is the kernel's.
  const shown = value.split("\t").map(printable).join("\t");
  const lines = [withName ? `${SYSCTL_PREFIX}${printable(name)} = ${shown}` : shown];
  if (explain) {
    lines.push(`  ${printable(meaning)}`);
    if (note !== "") lines.push(`  ${EFFECTS[effect]}: ${printable(note)}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

const EFFECTS: Readonly<Record<SysctlState["effect"], string>> = {
  all: "here",
  packets: "for engines that see packets",
  none: "no effect",
};
