/** A fault in a lab: it is made, traffic fails, the doctor names it, his own command mends it, traffic flows. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Diagnosis, Finding } from "../../doctor/finding.ts";
import { inside, run } from "../../scripts/lab/command.ts";
import { namespaceOf } from "../../scripts/lab/topology.ts";
import { eventually } from "./eventually.ts";
import { onHost } from "./lab_daemon.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** One row of the table. */
export interface LabFault {
  /** The doctor's word for it. */
  readonly id: string;
  /** Service whose clients suffer. */
  readonly service: string;
  /** Where and how it is made. */
  readonly at: string;
  readonly break: string;
  /** Where the doctor is asked; `director` with the config, a real server with its service's address. */
  readonly ask: string;
}

/** What the table is played on. */
export interface LabScene {
  readonly folder: string;
  /** Whether the service's clients are served as they should be: through the director, by the right server. */
  flows(service: string): Promise<boolean>;
  /** Words of the doctor's command line on this host. */
  question(host: string, service: string): readonly string[];
  /** Name of the host that has an address. */
  hostOf(address: string): string;
}

/** Makes `lvsd` a command, for the doctor's commands are written as a user types them. */
export async function installLvsd(folder: string): Promise<void> {
  await Deno.mkdir(join(folder, "bin"), { recursive: true });
  const path = join(folder, "bin", "lvsd");
  await Deno.writeTextFile(path, `#!/bin/sh\nexec ${Deno.execPath()} run -A ${MAIN} "$@"\n`);
  await Deno.chmod(path, 0o755);
}

/** What the doctor finds on a host. @param before words in front of `lvsd doctor` */
export async function findingsOn(
  host: string,
  words: readonly string[],
  lvsd: readonly string[] = [Deno.execPath(), "run", "-A", MAIN],
): Promise<Finding[]> {
  const { stdout, stderr, code } = await run(
    inside(namespaceOf(host), [...lvsd, "doctor", "--json", ...words]),
  );
  assert.ok(code === 0 || code === 1, stderr);
  const { host: general, services }: Diagnosis = JSON.parse(stdout);
  return [...general, ...services.flatMap((it) => it.findings)];
}

/** Runs a command of the doctor's, in a shell as a person would; what it leaves running goes on. */
export async function mend(host: string, { mend }: Finding, folder: string): Promise<void> {
  assert.ok(!mend.startsWith("#"), `a command, not advice: ${mend}`);
  const script = join(folder, "mend.sh");
  await Deno.writeTextFile(script, `export PATH="${folder}/bin:$PATH"\n${mend}\n`);
  await onHost(host, `sh ${script} </dev/null >>${folder}/mend.log 2>&1`);
}

/** Plays one row. */
export async function play(fault: LabFault, scene: LabScene): Promise<void> {
  const { id, service, at, ask } = fault;
  const flows = () => scene.flows(service);
  await eventually("traffic before the fault", flows);
  await onHost(at, fault.break);
  assert.equal(await flows(), false, "the fault is felt");
  const findings = await findingsOn(ask, scene.question(ask, service));
  const found = findings.find((it) => it.id === id);
  assert.ok(
    found !== undefined,
    `${id} is not among ${findings.map((it) => `${it.id}: ${it.text}`).join("; ")}`,
  );
  await mend(found.on === undefined ? ask : scene.hostOf(found.on), found, scene.folder);
  await eventually(`traffic after: ${found.mend}`, flows);
}
