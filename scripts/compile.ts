/**
 * `deno task compile`: lvsd as one executable.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import metadata from "../deno.json" with { type: "json" };
import { EXIT, LvsdError, UsageError } from "../errors.ts";
import { bundle } from "./packaging/bundle.ts";
import { carryRuntime } from "./packaging/carried_runtime.ts";
import { compileBundle, TARGETS } from "./packaging/compiled.ts";

const USAGE = `deno task compile - lvsd as one executable, workers and all

Usage: deno task compile [--output FILE] [--target TARGET]
       deno task compile --carry-runtime [--output FILE]

  -o, --output FILE    default dist/lvsd
      --target TARGET  ${TARGETS.join(", ")}; default: this machine
      --carry-runtime  make the file out of the Deno at hand: for where deno compile cannot fetch its runtime.
                       It unpacks itself once into the user's cache; Linux and macOS, this machine's kind only

deno compile takes its runtime (denort) from \$DENORT_BIN, from Deno's cache, or from dl.deno.land.

Exit codes: 0 built, 2 usage, 3 the runtime cannot be had or a tool is missing.

Example:
  deno task compile --carry-runtime && ./dist/lvsd demo
`;

if (import.meta.main) Deno.exitCode = await main(Deno.args);

async function main(args: readonly string[]): Promise<number> {
  try {
    return await build(args);
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    write(Deno.stderr, `compile: ${error.message}\n`);
    return error.exitCode;
  }
}

async function build(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help === true) {
    write(Deno.stdout, USAGE);
    return EXIT.ok;
  }
  const output = resolve(options.output ?? "dist/lvsd");
  const directory = await Deno.makeTempDir({ prefix: "lvsd-compile-" });
  try {
    await Deno.mkdir(join(output, ".."), { recursive: true });
    const commit = await commitOf();
    write(Deno.stderr, "bundling ...\n");
    const files = await bundle(directory);
    if (options["carry-runtime"] === true) {
      write(Deno.stderr, "packing the runtime, some 15 s ...\n");
      await carryRuntime({ version: metadata.version, commit, directory, output });
    } else {
      write(Deno.stderr, "deno compile ...\n");
      await compileBundle({ files, output, commit, target: options.target });
    }
    await report(output, options["carry-runtime"] === true ? "carried runtime" : "deno compile");
    return EXIT.ok;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

interface Options {
  readonly output?: string | undefined;
  readonly target?: string | undefined;
  readonly "carry-runtime"?: boolean | undefined;
  readonly help?: boolean | undefined;
}

function readOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        output: { type: "string", short: "o" },
        target: { type: "string" },
        "carry-runtime": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.target !== undefined && values["carry-runtime"] === true) {
      throw new UsageError(
        "OPTIONS_EXCLUDE",
        "--carry-runtime carries this machine's Deno; it goes with no --target",
      );
    }
    return values;
  } catch (error) {
    if (error instanceof LvsdError) throw error;
    throw new UsageError("BAD_OPTION", error instanceof Error ? error.message : String(error));
  }
}

/** Short hash of what is built, with a mark when the work tree differs from it. */
async function commitOf(): Promise<string> {
  const git = new Deno.Command("git", {
    args: ["describe", "--always", "--dirty", "--abbrev=10"],
    stderr: "null",
  });
  const { code, stdout } = await git.output().catch(() => ({ code: 1, stdout: new Uint8Array() }));
  return code === 0 ? new TextDecoder().decode(stdout).trim() : "unknown";
}

async function report(output: string, kind: string): Promise<void> {
  const bytes = await Deno.readFile(output);
  const sum = createHash("sha256").update(bytes).digest("hex");
  const size = (bytes.length / 1e6).toFixed(1);
  write(Deno.stdout, `${output}\n  kind    ${kind}\n  size    ${size} MB\n  sha256  ${sum}\n`);
}

function write(output: { writeSync(bytes: Uint8Array): number }, text: string): void {
  output.writeSync(new TextEncoder().encode(text));
}
