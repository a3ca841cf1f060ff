/**
 * The `lvsd` program: hands the arguments to cli/.
 *
 * @module
 */
import { runCommandLine } from "./cli/cli.ts";
import { SystemError } from "./errors.ts";

/** As a shell tells of a program that SIGPIPE ended: 128 + 13. */
const READER_GONE = 141;

if (import.meta.main) {
  const encoder = new TextEncoder();
  const writeAll = (output: { writeSync(bytes: Uint8Array): number }, text: string): void => {
    const bytes = encoder.encode(text);
    try {
      for (let at = 0; at < bytes.length;) at += output.writeSync(bytes.subarray(at));
    } catch (error) {
      // `lvsd schema | head`: Deno takes SIGPIPE away, so the end that it means is made here.
      if (error instanceof Deno.errors.BrokenPipe) Deno.exit(READER_GONE);
      // Who could be told of standard error that does not take a word?
      if (output === Deno.stderr) return;
      const why = error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/, "") : String(error);
      throw new SystemError("OUTPUT_UNWRITABLE", `standard output cannot be written: ${why}`, {}, error);
    }
  };
  const code = await runCommandLine(Deno.args, {
    stdout: (text) => writeAll(Deno.stdout, text),
    stderr: (text) => writeAll(Deno.stderr, text),
    env: (name) => Deno.env.get(name),
    stdin: () => new Response(Deno.stdin.readable).text(),
    // Decisions that scroll by on a terminal are progress enough.
    ...(Deno.stderr.isTerminal() && !Deno.stdout.isTerminal()
      ? { progress: (text) => writeAll(Deno.stderr, `\r\x1b[K${text}`) }
      : {}),
    isTerminal: Deno.stdout.isTerminal(),
    ...(Deno.stdout.isTerminal() ? { columns: Deno.consoleSize().columns || 80 } : {}),
  });
  Deno.exit(code);
}
