/** lvsd with the permissions that a test names, and no others. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { FEATURES, OWN_VARIABLES } from "../../daemon/permission_table.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PATIENCE_MS = 60_000;

/** The folder of lvsd's modules. */
export const PROGRAM: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** What every command may ask for. */
export const EVERY_COMMAND = `--allow-env=${OWN_VARIABLES.join(",")}`;

/** One way to start lvsd. */
export interface Start {
  /** All that it needs, and no more. */
  readonly flags: readonly string[];
  readonly words: readonly string[];
  /** What it says with all of them. */
  readonly says: readonly RegExp[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs it. */
  readonly under?: readonly string[];
}

/** A permission of the table that is left out. */
export interface Lack {
  /** `name` of the {@linkcode FEATURES}. */
  readonly feature: string;
  /** One of its permissions, as it stands there, with one value. */
  readonly permission: string;
  /** The value here, where the table has a word in capitals; `""` for the flag as a whole. */
  readonly value?: string;
  readonly says: RegExp;
}

/** Runs it until it has said all of this, or has ended; answers what it said. */
export async function said(start: Start, patterns: readonly RegExp[] = start.says): Promise<string> {
  const words = ["run", "--quiet", "--no-prompt", "--unstable-net", ...start.flags, MAIN, ...start.words];
  const [program = "", ...args] = [...start.under ?? [], Deno.execPath(), ...words];
  const child = new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1", LVSD_SOCKET: "", ...start.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  let isKilled = false;
  const end = () => {
    isKilled = true;
    try {
      child.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  const late = setTimeout(end, PATIENCE_MS);
  const read = async (output: ReadableStream<Uint8Array>) => {
    for await (const chunk of output.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (!isKilled && patterns.every((it) => it.test(text))) end();
    }
  };
  await Promise.all([read(child.stdout), read(child.stderr)]);
  clearTimeout(late);
  await child.status;
  return text;
}

/** The same without one permission. */
export function without(start: Start, { permission, value }: Lack): Start {
  const [flag = "", word] = permission.split("=");
  const left = value ?? word ?? "";
  let isFound = false;
  const flags = start.flags.flatMap((it) => {
    const [name, values = ""] = it.split("=");
    if (name !== flag) return [it];
    const all = values.split(",");
    isFound ||= left === "" || all.includes(left);
    const rest = left === "" ? [] : all.filter((one) => one !== left);
    return rest.length === 0 ? [] : [`${flag}=${rest.join(",")}`];
  });
  assert.ok(isFound, `${permission} (${left}) is not among ${start.flags.join(" ")}`);
  return { ...start, flags };
}

/** Every feature with each of its permissions: `feature: --allow-net=ADDRESS:PORT`. */
export function tableKeys(): string[] {
  return FEATURES.flatMap(({ name, permissions }) =>
    permissions.flatMap((permission) => {
      const [flag, values] = permission.split("=");
      return values === undefined
        ? [`${name}: ${flag}`]
        : values.split(",").map((it) => `${name}: ${flag}=${it}`);
    })
  );
}
