/**
 * `deno compile` over the bundle: one native executable, for this machine or another.
 *
 * @module
 */
import { join } from "node:path";
import { SystemError } from "../../errors.ts";
import { ALL_PERMISSIONS } from "./permissions.ts";

/** What `deno compile` can build for. */
export const TARGETS: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

export interface CompileOptions {
  /** `lvsd.js` first, then the workers. */
  readonly files: readonly string[];
  readonly output: string;
  readonly commit: string;
  /** One of {@linkcode TARGETS}; absent: this machine. */
  readonly target?: string | undefined;
}

/**
 * @throws {SystemError} `RUNTIME_UNREACHABLE` when the runtime cannot be had, `COMPILE_FAILED` for all else
 */
export async function compileBundle({ files, output, commit, target }: CompileOptions): Promise<void> {
  const [main = "", ...workers] = files;
  const environment = join(main, "../build.env");
  await Deno.writeTextFile(environment, `LVSD_BUILD="deno compile, commit ${commit}"\n`);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--no-config",
      "--unstable-net",
      "--no-prompt",
      ...ALL_PERMISSIONS,
      `--env-file=${environment}`,
      ...workers.flatMap((it) => ["--include", it]),
      ...(target === undefined ? [] : ["--target", target]),
      "--output",
      output,
      main,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  if (code === 0) return;
  const said = new TextDecoder().decode(stderr).trim();
  if (!/denort|download|dns|connect|resolve host/i.test(said)) {
    throw new SystemError("COMPILE_FAILED", `deno compile failed: ${said}`);
  }
  throw new SystemError(
    "RUNTIME_UNREACHABLE",
    `deno compile cannot get its runtime (denort): ${causeOf(said)}; ` +
      "name one with DENORT_BIN, or build with --carry-runtime",
  );
}

/** Deno tells a chain of causes, the last one is the reason; what follows is a stack trace. */
function causeOf(said: string): string {
  const [told = said] = said.split(/\n\s*Stack backtrace/);
  return told.trim().split("\n").at(-1)?.replace(/^\s*\d+:\s*/, "") ?? said;
}
