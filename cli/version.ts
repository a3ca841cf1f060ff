/**
 * The version of lvsd.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import metadata from "../deno.json" with { type: "json" };

const ROOT = new URL("..", import.meta.url);

/** As in deno.json. */
export const VERSION: string = metadata.version;

/** Short hash of a checkout, with a mark when its files differ from it; `unknown` where git cannot say. */
export async function commitOf(folder: string): Promise<string> {
  const git = new Deno.Command("git", {
    args: ["-C", folder, "describe", "--always", "--dirty", "--abbrev=10"],
    stderr: "null",
  });
  const { code, stdout } = await git.output().catch(() => ({ code: 1, stdout: new Uint8Array() }));
  return code === 0 ? new TextDecoder().decode(stdout).trim() : "unknown";
}

/**
 * How this lvsd was built, for `lvsd --version`: the built file says it, a checkout is asked.
 *
 * @param build value of `LVSD_BUILD`
 */
export async function versionLine(build: string | undefined): Promise<string> {
  const isBuilt = build !== undefined && build !== "";
  const kind = isBuilt ? build : `from source, commit ${await commitOf(fileURLToPath(ROOT))}`;
  return `lvsd ${VERSION} (${kind}; deno ${Deno.version.deno}, ${Deno.build.target})`;
}
