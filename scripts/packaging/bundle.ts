/**
 * One file of JavaScript from main.ts and all that it imports, and one for each worker.
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
 * Bundles into `directory`: `lvsd.js` and the workers.

 * @throws {SystemError} `BUNDLE_FAILED` with what esbuild says
 */
export async function bundle(directory: string): Promise<string[]> {
  const files = [await bundleOne(join(ROOT, "main.ts"), join(directory, "lvsd.js"))];
  for (const worker of WORKER_MODULES) {
    files.push(
      await bundleOne(join(ROOT, worker), join(directory, basename(worker).replace(/\.ts$/, ".js"))),
    );
  }
  return files;
}

/** `deno bundle` is esbuild with Deno's way of finding npm packages. */
async function bundleOne(entry: string, output: string): Promise<string> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "deno", "--output", output, entry],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  if (code === 0) return output;
  const said = new TextDecoder().decode(stderr).trim();
  throw new SystemError("BUNDLE_FAILED", `${entry} could not be bundled: ${said}`, { entry });
}
