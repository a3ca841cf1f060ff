/**
 * `deno task lab nat|dr|tun [--test]`: a director, a client and three real servers in network namespaces, to play with or to
 * be checked; `deno task lab exec HOST COMMAND`, `deno task lab down`.
 *
 * @module
 */
import { printLine as print, runTask } from "../bench/task.ts";
import { knownName, parseOptions, wholeNumberOption } from "../cli/options.ts";
import { EXIT, SystemError, UsageError } from "../errors.ts";
import {
  checkCells,
  type CheckLine,
  checkLogs,
  checkTransfer,
  checkTunnels,
  serveAll,
} from "./lab/checks.ts";
import { inside, must } from "./lab/command.ts";
import { DirectorProcess } from "./lab/director_process.ts";
import { checkMtu, narrowLink } from "./lab/mtu.ts";
import { checkUploads } from "./lab/upload_checks.ts";
import { checkChecksums, judgeReplies, watchReplies } from "./lab/reply_checks.ts";
import { startServers } from "./lab/servers.ts";
import {
  buildTopology,
  drawTopology,
  isUp,
  LAB_MODES,
  type LabMode,
  namespaceOf,
  removeTopology,
  SERVERS,
} from "./lab/topology.ts";

/** Of each cell, unless `--exchanges` says otherwise. Each has a port of its own, and there are twelve cells. */
const EXCHANGES = { least: 3, short: 50, proof: 1_000, most: 1_000 } as const;
const PROOF = Deno.env.get("LVSD_PROOF") !== undefined;
const VERBS = [...LAB_MODES, "exec", "down"];
const HOSTS = ["client", "director", ...SERVERS];
const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** As a shell tells of a process that SIGINT ended. */
const INTERRUPTED = 130;
/** Some 45 segments; as much as there is randomness at once. */
const PAGE_BYTES = 65_536;

const USAGE = `usage: deno task lab nat|dr|tun          build, and stay until Ctrl-C
       deno task lab nat|dr|tun --test [--exchanges N]
                                         build, check, take down; exit code 0 or 1
       deno task lab exec HOST COMMAND   in ${HOSTS.join(", ")}
       deno task lab down                take everything down
  --exchanges N  of each of the twelve cells, from ${EXCHANGES.least}, one a server, to ${EXCHANGES.most} (default ${EXCHANGES.short})
  -h, --help     this text

Needs root: it makes network namespaces. Exit codes: docs/exit-codes.md; exec ends with COMMAND's.

Example:
  deno task lab dr
  deno task lab exec client curl http://10.1.0.100/who      # in another terminal

${drawTopology("nat")}
`;

if (import.meta.main) {
  // Signals are the lab's own affair: it takes itself down.
  Deno.exitCode = await runTask({
    name: "lab",
    usage: USAGE,
    run: main,
    ownSignals: true,
    ownWords: (args) => args.slice(0, args[0] === "exec" ? 2 : undefined),
  }, Deno.args);
}

/** Exit code as in docs/exit-codes.md. @throws {UsageError} a wrong command line */
async function main(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === "exec") return await execute(rest);
  const { values, positionals } = parseOptions(args, {
    test: { type: "boolean" },
    exchanges: { type: "string" },
  });
  const [wish] = positionals;
  if (wish === undefined || positionals.length > 1) {
    throw new UsageError(
      "BAD_ARGUMENTS",
      `takes one of ${VERBS.join(", ")}, got ${positionals.join(" ") || "none"}`,
    );
  }
  knownName("command", wish, VERBS);
  const mode = LAB_MODES.find((it) => it === wish);
  if (mode === undefined) {
    await removeTopology();
    return EXIT.ok;
  }
  const text = values.exchanges ?? `${PROOF ? EXCHANGES.proof : EXCHANGES.short}`;
  const exchanges = wholeNumberOption("--exchanges", text, EXCHANGES.least, EXCHANGES.most);
  if (Deno.uid() !== 0) throw new SystemError("NOT_ROOT", "the lab needs root: it makes network namespaces");
  return values.test === true ? await test(mode, exchanges) : await play(mode);
}

async function execute([host = "", ...command]: readonly string[]): Promise<number> {
  knownName("host", host, HOSTS);
  if (command.length === 0) throw new UsageError("BAD_ARGUMENTS", "exec takes HOST and COMMAND");
  if (!await isUp()) {
    throw new SystemError("LAB_DOWN", "the lab is not up; start it with: deno task lab nat");
  }
  const [program = "", ...args] = inside(namespaceOf(host), command);
  const { code } = await new Deno.Command(program, { args, stdin: "inherit" }).spawn().status;
  return code;
}

/** Builds and checks, a line for each check; takes down whatever happens. */
export async function test(mode: LabMode, exchanges: number): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
  Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}${mode}`);
  const interrupt = () => void leave(folder);
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupt);
  let director: DirectorProcess | undefined;
  try {
    director = await build(mode, folder);
    let failed = 0;
    const tell = ({ what, problem }: CheckLine) => {
      print(problem === undefined ? `ok      ${what}` : `FAILED  ${what}: ${problem}`);
      if (problem !== undefined) failed++;
    };
    for await (const line of checkAll(director, mode, folder, exchanges)) tell(line);
    await director.stop();
    await narrowLink(mode);
    director = await DirectorProcess.start();
    for await (const line of checkMtu(director, mode, folder, PROOF)) tell(line);
    print(failed === 0 ? "all checks passed" : `${failed} ${failed === 1 ? "check" : "checks"} failed`);
    return failed === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await director?.stop();
    await removeTopology();
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupt);
  }
}

async function* checkAll(
  director: DirectorProcess,
  mode: LabMode,
  folder: string,
  exchanges: number,
): AsyncGenerator<CheckLine> {
  const replies = await watchReplies(mode, folder);
  yield* checkCells(director, mode, exchanges);
  yield await judgeReplies(replies, mode);
  if (mode === "tun") {
    yield* checkTunnels(director, 20);
    yield* checkUploads(director, folder);
  }
  yield await checkLogs(folder);
  yield await checkChecksums(director, mode, folder);
  yield* await checkTransfer(folder, 100);
}

/** Ctrl-C during checks: whatever they are about to do, nothing of the lab may stay. */
async function leave(folder: string): Promise<never> {
  print("interrupted; taking down");
  do await removeTopology(); while (await isUp());
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  Deno.exit(INTERRUPTED);
}

async function play(mode: LabMode): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of SIGNALS) Deno.addSignalListener(signal, () => resolve());
  });
  try {
    const director = await build(mode, folder);
    await serveAll(director, mode, "rr");
    print(drawTopology(mode));
    print(await director.ipvsadm("-Ln"));
    print("try: deno task lab exec client curl http://10.1.0.100/who\nCtrl-C takes it down");
    await interrupted;
    await director.stop();
  } finally {
    await removeTopology();
    await Deno.remove(folder, { recursive: true });
  }
  return EXIT.ok;
}

async function build(mode: LabMode, folder: string): Promise<DirectorProcess> {
  await must(["chmod", "755", folder]);
  await Deno.writeFile(`${folder}/page.bin`, crypto.getRandomValues(new Uint8Array(PAGE_BYTES)));
  await buildTopology(mode);
  await startServers(mode, folder);
  return await DirectorProcess.start();
}
