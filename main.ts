/**
 * The `lvsd` program: hands the arguments to cli/.
 *
 * @module
 */
import { runCommandLine } from "./cli/cli.ts";

if (import.meta.main) {
  const encoder = new TextEncoder();
  const writeAll = (output: { writeSync(bytes: Uint8Array): number }, text: string): void => {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += output.writeSync(bytes.subarray(at));
  };
  const code = await runCommandLine(Deno.args, {
    stdout: (text) => writeAll(Deno.stdout, text),
    stderr: (text) => writeAll(Deno.stderr, text),
    env: (name) => Deno.env.get(name),
    stdin: () => new Response(Deno.stdin.readable).text(),
    isTerminal: Deno.stdout.isTerminal(),
  });
  Deno.exit(code);
}
