/**
 * Running the system's programs.
 *
 * @module
 */
import { SystemError } from "../../errors.ts";

/** What a program said. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(words: readonly string[], stdin?: string): Promise<Output> {
  const [program = "", ...args] = words;
  const child = new Deno.Command(program, {
    args,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs a program that has to succeed. @throws {SystemError} `COMMAND_FAILED` */
export async function must(words: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await run(words, stdin);
  if (code === 0) return stdout;
  throw new SystemError("COMMAND_FAILED", `${words.join(" ")}: exit code ${code}: ${stderr.trim()}`, {
    code,
  });
}

/** The same words inside a network namespace. */
export function inside(namespace: string, words: readonly string[]): string[] {
  return ["ip", "netns", "exec", namespace, ...words];
}
