/**
 * One executable out of the Deno at hand and the bundle, for where `deno compile` cannot fetch its own runtime.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SystemError } from "../../errors.ts";
import { ALL_PERMISSIONS, HOST_READERS, RUNTIME_FLAGS } from "./permissions.ts";

const LAUNCHER = fileURLToPath(new URL("./launcher.sh", import.meta.url));

export interface CarriedRuntimeOptions {
  readonly version: string;
  readonly commit: string;
  /** Folder with `lvsd.js` and the workers; the runtime is added. */
  readonly directory: string;
  readonly output: string;
}

/** Writes the executable. @throws {SystemError} `COMMAND_FAILED` */
export async function carryRuntime(
  { version, commit, directory, output }: CarriedRuntimeOptions,
): Promise<void> {
  await copyFile(Deno.execPath(), join(directory, "deno"));
  const names = [...Deno.readDirSync(directory)].map((it) => it.name).sort();
  // tar gives root exactly these modes, and everybody else what the launcher's umask leaves of them.
  for (const name of names) await Deno.chmod(join(directory, name), name === "deno" ? 0o755 : 0o644);
  const payload = await outputOf("tar", ["-C", directory, "--owner=0", "--group=0", "-czf", "-", ...names]);
  const sum = sumOf(payload);
  const platform = `${await line("uname", ["-s"])}-${await line("uname", ["-m"])}`;
  const template = await Deno.readTextFile(LAUNCHER);
  const script = fill(template, {
    VERSION: version,
    COMMIT: commit,
    PLATFORM: platform,
    PAYLOAD_SUM: sum,
    FILES: names.join(" "),
    FILES_SUM: await sumOfAll(directory, names),
    FLAGS: RUNTIME_FLAGS.join(" "),
    PERMISSIONS: ALL_PERMISSIONS.join(" "),
    HOST_READERS: HOST_READERS.join(" | "),
  });
  const head = withPlace(script);
  const file = new Uint8Array(head.length + payload.length);
  file.set(head);
  file.set(payload, head.length);
  // Beside it and then in one step: a running lvsd keeps the file that it was started from.
  await Deno.writeFile(`${output}.new`, file, { mode: 0o755 });
  await Deno.rename(`${output}.new`, output);
}

function sumOf(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** As the launcher adds them up: the sum of the files' sums, a line each. */
async function sumOfAll(directory: string, names: readonly string[]): Promise<string> {
  let sums = "";
  for (const name of names) sums += `${sumOf(await Deno.readFile(join(directory, name)))}\n`;
  return sumOf(sums);
}

function fill(template: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(`@@${name}@@`, value),
    template,
  );
}

/** The script with the place of the payload, whose digits are part of the script's own length. */
function withPlace(script: string): Uint8Array {
  const encoder = new TextEncoder();
  const name = "@@PAYLOAD_AT@@";
  const rest = encoder.encode(script.replace(name, "")).length;
  for (let digits = 3;; digits++) {
    const place = `${rest + digits + 1}`;
    if (place.length === digits) return encoder.encode(script.replace(name, place));
  }
}

async function line(command: string, args: readonly string[]): Promise<string> {
  return new TextDecoder().decode(await outputOf(command, args)).trim();
}

async function outputOf(command: string, args: readonly string[]): Promise<Uint8Array> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (code === 0) return stdout;
  const said = new TextDecoder().decode(stderr).trim();
  throw new SystemError("COMMAND_FAILED", `${command} ${args.join(" ")} failed: ${said}`, { command });
}
