/**
 * Replays recordings of the real ipvsadm and compares output, messages and exit codes byte for byte.
 *
 * Traffic is not in these files. So a counter that the recording shows above 0 is compared by its place and width, with
 * its digits masked; connections are taken from the recording and printed anew, and compared as a set, for their order
 * is that of a hash with a random seed.
 *
 * @module
 */
import { NOT_ROOT } from "../../ipvsadm/refusal.ts";
import { FileNames } from "../../ipvsadm/names.ts";
import { runTool, type ToolAnswer } from "../../ipvsadm/tool.ts";
import { PROC_VIEWS, procText } from "../../ipvsadm/proc.ts";
import { SWITCHES } from "../../director/switches.ts";
import type { SysctlName } from "../../director/sysctl.ts";
import { firstOtherLine } from "./counters_masked.ts";
import { possibleSalts } from "./kernel_salt.ts";
import { connectionSet, readConnections } from "./recorded_connections.ts";
import { compareRates } from "./rate_series.ts";
import type { Outcome } from "./scheduler_replay.ts";
import type { Lined } from "./recording.ts";
import { type RateReading, type ToolCommand, type ToolLine, wordsOf } from "./tool_recording.ts";
import { ToolWorld } from "./tool_world.ts";

const FIXTURES = new URL("../fixtures/names/", import.meta.url);
/** Not a number but a share of memory. */
const MEMORY_DEPENDENT: readonly string[] = ["sync_qlen_max"];
/** More salts than this fit only a file whose order says nothing. */
const SALTS_TRIED = 8;

/** Commands of somebody who is not root. */
const NOT_ROOT_SECTION = /\bno[nt][-_ ]?root\b/;

/** One outcome for each line that can be compared, each under the name of its section. */
export async function replayTool(
  path: string,
  lines: readonly Lined<ToolLine>[],
): Promise<[name: string, outcome: Outcome][]> {
  const commands = lines.filter((it): it is Lined<ToolCommand> => "cmd" in it);
  let best: [string, Outcome][] | undefined;
  for (const salt of possibleSalts(commands).slice(0, SALTS_TRIED)) {
    const outcomes = await replayWithSalt(path, lines, salt);
    if (best === undefined || differences(outcomes) < differences(best)) best = outcomes;
    if (differences(best) === 0) break;
  }
  return best ?? [];
}

function differences(outcomes: readonly [string, Outcome][]): number {
  return outcomes.filter(([, { difference }]) => difference !== undefined).length;
}

async function replayWithSalt(
  path: string,
  lines: readonly Lined<ToolLine>[],
  salt: number,
): Promise<[string, Outcome][]> {
  const names = new FileNames(await fixture("hosts.txt"), await fixture("services.txt"));
  const replay = new ToolReplay(new ToolWorld(salt), names);
  const outcomes: [string, Outcome][] = [];
  for (const line of lines) {
    const difference = await replay.compare(line);
    if (difference === "nothing to compare") continue;
    outcomes.push([
      `ipvsadm ${line.section}`,
      difference === undefined
        ? { steps: 1 }
        : { steps: 1, difference: `${path}:${line.line}: ${titleOf(line)}: ${difference}` },
    ]);
  }
  return outcomes;
}

function titleOf(line: ToolLine): string {
  return "cmd" in line ? (typeof line.cmd === "string" ? line.cmd : line.cmd.join(" ")) : line.section;
}

class ToolReplay {
  readonly #world: ToolWorld;
  readonly #names: FileNames;
  readonly #readings: RateReading[] = [];

  constructor(world: ToolWorld, names: FileNames) {
    this.#world = world;
    this.#names = names;
  }

  async compare(line: ToolLine): Promise<string | undefined> {
    if ("cmd" in line) return await this.#compareCommand(line);
    if ("rate_line" in line) {
      this.#readings.push(line);
      return compareRates(this.#readings);
    }
    if ("default" in line) return compareSysctl(line.name, line.default);
    return "nothing to compare";
  }

  async #compareCommand(recorded: ToolCommand): Promise<string | undefined> {
    const words = wordsOf(recorded);
    const isConnectionList = /^(IPVS connection entries|Pro FromIP)/.test(recorded.stdout);
    if (isConnectionList) {
      this.#world.connectionRows = readConnections(recorded.stdout, this.#world.connectionRows);
    }
    const answer = await this.#answer(words, recorded);
    if (answer === undefined) return `the replay does not know this command`;
    if (answer.code !== recorded.rc) return `exit code ${answer.code}, recorded ${recorded.rc}`;
    if (answer.stderr !== recorded.stderr) {
      return `message ${JSON.stringify(answer.stderr)}, recorded ${JSON.stringify(recorded.stderr)}`;
    }
    if (answer.stdout === recorded.stdout) return undefined;
    if (isConnectionList) return connectionSet(answer.stdout, recorded.stdout);
    return firstOtherLine(answer.stdout, recorded.stdout);
  }

  /** A pipeline as the shell runs it: output of one is input of the next, messages of all come out. */
  async #answer(words: readonly string[], recorded: ToolCommand): Promise<ToolAnswer | undefined> {
    let answer: ToolAnswer = { code: 0, stdout: recorded.stdin ?? "", stderr: "" };
    for (const command of pipelineOf(words)) {
      const next = await this.#program(command, answer.stdout, recorded);
      if (next === undefined) return undefined;
      answer = { ...next, stderr: answer.stderr + next.stderr };
    }
    return answer;
  }

  async #program(
    [program = "", ...rest]: readonly string[],
    stdin: string,
    recorded: ToolCommand,
  ): Promise<ToolAnswer | undefined> {
    const tool = (words: readonly string[], text = "") =>
      runTool({ words, stdin: text }, this.#world.table, this.#names);
    switch (program) {
      case "ipvsadm":
        if (NOT_ROOT_SECTION.test(recorded.section)) return { code: 2, stdout: "", stderr: NOT_ROOT };
        return await tool(rest, stdin);
      case "ipvsadm-save":
        return await tool(["-S", ...rest]);
      case "ipvsadm-restore":
        await tool(["-C"]);
        return await tool(["-R"], stdin.split("\n").filter((line) => !line.startsWith("#")).join("\n"));
      case "cat":
        return this.#cat(rest[0] ?? "");
      case "sysctl":
        return this.#sysctl(rest);
      case "echo":
        return succeeded(`${rest.join(" ").replace(/^["']|["']$/g, "")}\n`);
      default:
        // Whatever it did to the host, it did nothing to the table, and it said nothing that could be compared.
        return recorded.rc === 0 && recorded.stdout === "" && recorded.stderr === ""
          ? succeeded("")
          : undefined;
    }
  }

  #cat(path: string): ToolAnswer | undefined {
    const view = PROC_VIEWS.find((it) => path === `/proc/net/${it}`);
    if (view !== undefined) return succeeded(procText(view, this.#world.table));
    const [, name] = /^\/proc\/sys\/net\/ipv4\/vs\/(\w+)$/.exec(path) ?? [];
    const value = name === undefined ? undefined : this.#world.sysctl(name);
    return value === undefined ? undefined : succeeded(`${value}\n`);
  }

  /** `sysctl [-q] [-n] NAME`, `sysctl [-q] [-n] [-w] NAME=VALUE` */
  #sysctl(words: readonly string[]): ToolAnswer | undefined {
    const flags = words.filter((it) => it.startsWith("-"));
    const [assignment] = words.filter((it) => !it.startsWith("-"));
    const [, name = "", value] = /^net[./]ipv4[./]vs[./](\w+)(?:=(.*))?$/.exec(assignment ?? "") ?? [];
    if (value !== undefined && !this.#world.setSysctl(name, value)) return undefined;
    const now = this.#world.sysctl(name);
    if (now === undefined) return undefined;
    if (flags.includes("-q")) return succeeded("");
    return succeeded(flags.includes("-n") ? `${now}\n` : `net.ipv4.vs.${name} = ${now}\n`);
  }
}

function pipelineOf(words: readonly string[]): string[][] {
  const commands: string[][] = [[]];
  for (const word of words) {
    if (word === "|") commands.push([]);
    else commands.at(-1)?.push(word);
  }
  return commands;
}

function succeeded(stdout: string): ToolAnswer {
  return { code: 0, stdout, stderr: "" };
}

function compareSysctl(name: string, recorded: string): string | undefined {
  const short = name.replace(/^net\.ipv4\.vs\./, "");
  if (MEMORY_DEPENDENT.includes(short)) return undefined;
  const [first, second] = recorded.split("\t");
  const own = (it: string) => SWITCHES[it as SysctlName]?.default;
  const [value, period] = [own(short), second === undefined ? undefined : own(`${short}_period`)];
  const isEqual = String(value) === first && (second === undefined || String(period) === second);
  return isEqual ? undefined : `${name} is ${value} at first, recorded ${recorded}`;
}

async function fixture(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(name, FIXTURES));
}
