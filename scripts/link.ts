/**
 * `deno task link [FOLDER]`: puts the `lvsd` wrapper on the PATH, as a link in `~/.local/bin` or in FOLDER.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const wrapper = fileURLToPath(new URL("../lvsd", import.meta.url));
const folder = Deno.args[0] ?? join(Deno.env.get("HOME") ?? ".", ".local", "bin");
const link = join(folder, "lvsd");
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

await Deno.mkdir(folder, { recursive: true });
const there = await Deno.lstat(link).catch(() => undefined);
if (there !== undefined && !there.isSymlink) {
  say(`${link} is there already and is not a link; move it away first`);
  Deno.exit(1);
}
if (there !== undefined) await Deno.remove(link);
await Deno.symlink(wrapper, link);
say(`${link} -> ${wrapper}`);
const onPath = (Deno.env.get("PATH") ?? "").split(":").includes(folder);
say(onPath ? "Try: lvsd demo" : `${folder} is not on your PATH; add it: export PATH="${folder}:$PATH"`);
