/**
 * `lvsd ipvsadm`: the commands of ipvsadm, handed to the running daemon.
 *
 * @module
 */
import { currentSurroundings } from "../admin/socket_path.ts";
import { SystemClock } from "../clock.ts";
import { EXIT, LvsdError, SystemError } from "../errors.ts";
import { initFailure, NOT_ROOT } from "../ipvsadm/refusal.ts";
import { USAGE_TEXT, VERSION_TEXT } from "../ipvsadm/usage.ts";
import type { CliContext, Command, ParsedArgs } from "./command.ts";
import { daemonClient } from "./daemon_client.ts";

/** The tool's exit code when it cannot reach the kernel. */
const NO_KERNEL = 2;

export const ipvsadm: Command = {
  usage: `lvsd ipvsadm - the commands of ipvsadm 1.31, in its words, against the running daemon

Usage: lvsd ipvsadm COMMAND [OPTIONS]     as the real tool; lvsd ipvsadm -h lists them
       lvsd ipvsadm -L --lvsd             with names, owner, health, both weights
       lvsd ipvsadm -L --json             the same for scripts

The daemon is the one behind $LVSD_SOCKET, else /run/lvsd/control.sock as root, else
$XDG_RUNTIME_DIR/lvsd/control.sock. lvsd run without a config is a kernel without rules.

Exit codes: 0 done, 1 a listing failed, 2 refused by the tool or no daemon, 255 refused by the kernel (here: by
lvsd); they are those of the tool.

Examples:
  lvsd ipvsadm -A -t 127.0.0.1:8080 -s wlc
  lvsd ipvsadm -a -t 127.0.0.1:8080 -r 127.0.0.1:3001 -m
  lvsd ipvsadm -L -n
`,
  options: {},
  takesWordsAsTheyAre: true,
  run: hand,
};

async function hand({ positionals: words }: ParsedArgs, context: CliContext): Promise<number> {
  try {
    const client = daemonClient(
      { values: {}, positionals: [] },
      context,
      new SystemClock(),
      currentSurroundings(),
    );
    const { code, stdout, stderr } = await client.tool({ words, stdin: await restored(words, context) });
    context.stdout(stdout);
    context.stderr(stderr);
    return code;
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    // Who does not have a daemon yet wants to read this all the more; the real tool needs its kernel even for that.
    if (words[0] === "-h" || words[0] === "--help") {
      context.stdout(VERSION_TEXT + USAGE_TEXT);
      return EXIT.ok;
    }
    const isForbidden = error instanceof SystemError && error.code === "PERMISSION_DENIED";
    context.stderr(isForbidden ? NOT_ROOT : initFailure(error.message));
    return NO_KERNEL;
  }
}

/** Standard input is read for a restore only: a listing must not wait for a terminal. */
async function restored([command = ""]: readonly string[], context: CliContext): Promise<string> {
  const isRestore = command === "--restore" || /^-R/.test(command);
  return isRestore ? await context.stdin?.() ?? "" : "";
}
