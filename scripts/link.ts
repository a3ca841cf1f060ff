/**
 * `deno task link [FOLDER]`: puts the `lvsd` wrapper on the PATH, as a link in `~/.local/bin` or in FOLDER.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { printLine, runTask } from "../bench/task.ts";
import { parseOptions } from "../cli/options.ts";
import { EXIT, SystemError, UsageError } from "../errors.ts";

const WRAPPER = fileURLToPath(new URL("../lvsd", import.meta.url));
const USAGE = `usage: deno task link [FOLDER]
  FOLDER      where the link to ./lvsd goes (default ~/.local/bin)
  -h, --help  this text

Example:
  deno task link && lvsd demo
`;

if (import.meta.main) Deno.exitCode = await runTask({ name: "link", usage: USAGE, run: link }, Deno.args);

async function link(args: readonly string[]): Promise<number> {
  const [folder = join(Deno.env.get("HOME") ?? ".", ".local", "bin"), ...more] =
    parseOptions(args, {}).positionals;
  if (more.length > 0) throw new UsageError("BAD_ARGUMENTS", `takes one FOLDER, got ${more.join(" ")} too`);
  const path = join(folder, "lvsd");
  await Deno.mkdir(folder, { recursive: true });
  const there = await Deno.lstat(path).catch(() => undefined);
  if (there !== undefined && !there.isSymlink) {
    throw new SystemError("PATH_TAKEN", `${path} is there already and is not a link; move it away first`, {
      path,
    });
  }
  if (there !== undefined) await Deno.remove(path);
  await Deno.symlink(WRAPPER, path);
  printLine(`${path} -> ${WRAPPER}`);
  const onPath = (Deno.env.get("PATH") ?? "").split(":").includes(folder);
  printLine(
    onPath ? "Try: lvsd demo" : `${folder} is not on your PATH; add it: export PATH="${folder}:$PATH"`,
  );
  return EXIT.ok;
}
