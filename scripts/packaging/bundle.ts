/**
 * JavaScript from main.ts and all that it imports, in a few files, and one for each worker.
 *
 * @module
 */
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SystemError } from "../../errors.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Modules that run in workers. They lie beside the program, under the same names. */
export const WORKER_MODULES: readonly string[] = [
  "engines/native/worker.ts",
  "engines/packet/packet_worker.ts",
  "realserver/tunnel_worker.ts",
];

/**
 * Bundles into `directory`: `lvsd.js`, the parts that it loads when they are needed, and the workers. In one piece it would
 * take 90 ms more of every start.
 *
 * @returns `lvsd.js` and the workers
 * @throws {SystemError} `BUNDLE_FAILED` with what esbuild says
 */
export async function bundle(directory: string): Promise<string[]> {
  const program = join(directory, "lvsd.js");
  await bundleOne(join(ROOT, "main.ts"), ["--code-splitting", "--outdir", directory]);
  await Deno.rename(join(directory, "main.js"), program);
  const files = [program];
  for (const worker of WORKER_MODULES) {
    const output = join(directory, basename(worker).replace(/\.ts$/, ".js"));
    await bundleOne(join(ROOT, worker), ["--output", output]);
    files.push(output);
  }
  return files;
}

/** `deno bundle` is esbuild with Deno's way of finding npm packages. */
async function bundleOne(entry: string, output: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "deno", ...output, entry],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  if (code === 0) return;
  const said = new TextDecoder().decode(stderr).trim();
  throw new SystemError("BUNDLE_FAILED", `${entry} could not be bundled: ${said}`, { entry });
}
