/**
 * `deno task lab nat|dr|tun [--test]`: a director, a client and three real servers in network namespaces, to play with or to
 * be checked; `deno task lab exec HOST COMMAND`, `deno task lab down`.
 *
 * @module
 */
import { EXIT } from "../errors.ts";
import {
  checkCells,
  type CheckLine,
  checkLogs,
  checkReplies,
  checkTransfer,
  checkTunnels,
  serveAll,
} from "./lab/checks.ts";
import { inside, must } from "./lab/command.ts";
import { DirectorProcess } from "./lab/director_process.ts";
import { startServers } from "./lab/servers.ts";
import {
  buildTopology,
  drawTopology,
  isUp,
  LAB_MODES,
  type LabMode,
  namespaceOf,
  removeTopology,
} from "./lab/topology.ts";

const USAGE = `usage: deno task lab nat|dr|tun          build, and stay until Ctrl-C
       deno task lab nat|dr|tun --test   build, check, take down; exit code 0 or 1
       deno task lab exec HOST COMMAND   in client, director, rs1, rs2 or rs3: exec client curl http://10.1.0.100/who
       deno task lab down                take everything down`;
const PROOF = Deno.env.get("LVSD_PROOF") !== undefined;

if (import.meta.main) Deno.exitCode = await main(Deno.args);

/** Exit code as in docs/exit-codes.md. */
export async function main(args: readonly string[]): Promise<number> {
  const [verb = "", ...rest] = args;
  if (verb === "down") {
    await removeTopology();
    return EXIT.ok;
  }
  if (verb === "exec" && rest.length > 1) return await execute(rest);
  const mode = LAB_MODES.find((it) => it === verb);
  if (mode === undefined) {
    print(USAGE);
    return EXIT.usage;
  }
  if (Deno.uid() !== 0) {
    print("the lab needs root: it makes network namespaces");
    return EXIT.unavailable;
  }
  return rest.includes("--test") ? await test(mode) : await play(mode);
}

async function execute([host = "", ...command]: readonly string[]): Promise<number> {
  if (!await isUp()) {
    print("the lab is not up; start it with: deno task lab nat");
    return EXIT.unavailable;
  }
  const [program = "", ...args] = inside(namespaceOf(host), command);
  const { code } = await new Deno.Command(program, { args, stdin: "inherit" }).spawn().status;
  return code;
}

/** Builds and checks, a line for each check; takes down whatever happens. */
export async function test(mode: LabMode): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
  Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}${mode}`);
  let director: DirectorProcess | undefined;
  try {
    director = await build(mode, folder);
    let failed = 0;
    const tell = ({ what, problem }: CheckLine) => {
      print(problem === undefined ? `ok      ${what}` : `FAILED  ${what}: ${problem}`);
      if (problem !== undefined) failed++;
    };
    for await (const line of checkCells(director, mode, PROOF ? 1_000 : 50)) tell(line);
    if (mode === "tun") { for await (const line of checkTunnels(director, 20)) tell(line); }
    tell(await checkLogs(folder));
    tell(await checkReplies(director, mode));
    for (const line of await checkTransfer(folder, 100)) tell(line);
    print(failed === 0 ? "all checks passed" : `${failed} checks failed`);
    return failed === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await director?.stop();
    await removeTopology();
    await Deno.remove(folder, { recursive: true });
  }
}

async function play(mode: LabMode): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => resolve());
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
  await buildTopology(mode);
  await startServers(mode, folder);
  return await DirectorProcess.start();
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
