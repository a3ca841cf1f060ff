/**
 * `lvsd record`: the running daemon's flight recorder, as a script.
 *
 * @module
 */
import { currentSurroundings } from "../admin/socket_path.ts";
import { SystemClock } from "../clock.ts";
import { EXIT, SystemError } from "../errors.ts";
import { type Command, textOption } from "./command.ts";
import { DAEMON_OPTIONS, daemonClient, daemonOptionsUsage } from "./daemon_client.ts";

export const record: Command = {
  usage: `lvsd record - write the flight recorder of the running daemon

Usage: lvsd record [-o FILE] [--socket PATH | --url URL]

The daemon always remembers its last decisions. Written out they are a script: lvsd simulate plays it and
says where a decision would differ, lvsd whatif plays it with another scheduler.

  -o, --output FILE  write here and not to standard output
${daemonOptionsUsage(21)}
Exit codes: 0 written, 2 usage, 3 no daemon or FILE cannot be written.

Example:
  lvsd record -o today.lvs && lvsd simulate today.lvs
`,
  options: { output: { type: "string", short: "o" }, ...DAEMON_OPTIONS },

  async run(args, context) {
    const text = await daemonClient(args, context, new SystemClock(), currentSurroundings()).record();
    const file = textOption(args, "output");
    if (file === undefined) context.stdout(text);
    else await write(file, text);
    return EXIT.ok;
  },
};

async function write(file: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(file, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SystemError("FILE_UNWRITABLE", `${file} cannot be written: ${why}`, { file }, error);
  }
}
