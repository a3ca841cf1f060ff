/** How the tests start lvsd: from the sources, or the program that `LVSD_BIN` names, such as the built file. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { permissionsOf } from "../../scripts/packaging/permissions.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const named = Deno.env.get("LVSD_BIN") ?? "";

/** The program of `LVSD_BIN`, with its whole path; undefined where the sources are to be tried. */
export const LVSD_BIN: string | undefined = named === "" ? undefined : resolve(named);

/** The command that runs lvsd with these words. Its permissions are those of `./lvsd`. */
export function lvsdCommand(words: readonly string[]): [program: string, ...rest: string[]] {
  return LVSD_BIN === undefined ? fromSources(words, permissionsOf(words[0])) : [LVSD_BIN, ...words];
}

/** The same, ready to start. @param permissions in place of those of `./lvsd` */
export function lvsdProgram(
  words: readonly string[],
  options: Deno.CommandOptions = {},
  permissions: readonly string[] = permissionsOf(words[0]),
): Deno.Command {
  const [program, ...args] = LVSD_BIN === undefined ? fromSources(words, permissions) : [LVSD_BIN, ...words];
  return new Deno.Command(program, {
    ...options,
    args,
    env: { ...options.env, LVSD_PERMISSIONS: permissions.join(" ") },
  });
}

function fromSources(
  words: readonly string[],
  permissions: readonly string[],
): [program: string, ...rest: string[]] {
  return [Deno.execPath(), "run", "--quiet", "--no-prompt", ...permissions, MAIN, ...words];
}
