/**
 * Whether somebody else could write a config file: what root runs, only root may write.
 *
 * @module
 */
import { dirname } from "node:path";
import { SystemError } from "../errors.ts";
import { visible } from "./shown.ts";

const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
/** In such a folder a file belongs to its owner, whoever may write the folder: /tmp. */
const STICKY = 0o1000;

/** What is wrong with a file or the folder it lies in. */
export interface Distrust {
  readonly path: string;
  /** Who could write it. */
  readonly writers: "owner" | "group" | "everybody";
  /** `is writable by its group (mode 0664)`. */
  readonly problem: string;
  /** The command that mends it. */
  readonly remedy: string;
}

/**
 * Looks at the file, where links lead to, and at the folder of it. A pipe has no writers to fear: it is not looked at.
 *
 * @param uid who may write it, beside root
 * @throws {Deno.errors.NotCapable} Deno may not read the folder
 */
export async function findDistrust(path: string, uid: number): Promise<Distrust | undefined> {
  const real = await Deno.realPath(path);
  const file = await Deno.stat(real);
  if (!file.isFile) return undefined;
  const folders = [...new Set([dirname(real), await Deno.realPath(dirname(path))])];
  for (const place of [real, ...folders]) {
    const found = judge(place, await Deno.stat(place), uid);
    if (found !== undefined) return found;
  }
  return undefined;
}

function judge(path: string, { isDirectory, uid, mode }: Deno.FileInfo, user: number): Distrust | undefined {
  const name = visible(path);
  const octal = ((mode ?? 0) & 0o7777).toString(8).padStart(4, "0");
  const isShared = isDirectory && ((mode ?? 0) & STICKY) !== 0;
  if (uid !== null && uid !== user && uid !== 0) {
    const owner = user === 0 ? "root" : `${user}`;
    return { path, writers: "owner", problem: `belongs to user ${uid}`, remedy: `chown ${owner} ${name}` };
  }
  if (isShared || mode === null) return undefined;
  if ((mode & OTHERS_WRITE) !== 0) {
    return {
      path,
      writers: "everybody",
      problem: `is writable by everybody (mode ${octal})`,
      remedy: `chmod go-w ${name}`,
    };
  }
  if ((mode & GROUP_WRITES) !== 0) {
    return {
      path,
      writers: "group",
      problem: `is writable by its group (mode ${octal})`,
      remedy: `chmod g-w ${name}`,
    };
  }
  return undefined;
}

/**
 * For a process of root.
 *
 * @throws {SystemError} `CONFIG_UNTRUSTED` says what to mend
 */
export async function assertTrusted(path: string): Promise<void> {
  const found = await findDistrust(path, 0);
  if (found === undefined) return;
  throw new SystemError(
    "CONFIG_UNTRUSTED",
    `${visible(found.path)} ${found.problem}, and root runs what ${visible(path)} says; mend it: ` +
      `${found.remedy}; or run lvsd as another user`,
    { path: found.path },
  );
}
