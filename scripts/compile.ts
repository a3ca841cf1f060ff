/**
 * `deno task compile`: lvsd as one executable.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import metadata from "../deno.json" with { type: "json" };
import { runTask } from "../bench/task.ts";
import { knownName, parseOptions } from "../cli/options.ts";
import { commitOf } from "../cli/version.ts";
import { EXIT, SystemError, UsageError } from "../errors.ts";
import { bundle } from "./packaging/bundle.ts";
import { carryRuntime } from "./packaging/carried_runtime.ts";
import { compileBundle, TARGETS } from "./packaging/compiled.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const USAGE = `deno task compile - lvsd as one executable, workers and all

Usage: deno task compile [--output FILE] [--target TARGET]
       deno task compile --carry-runtime [--output FILE]

  -o, --output FILE    default dist/lvsd
      --target TARGET  ${TARGETS.join(", ")}; default: this machine
      --carry-runtime  make the file out of the Deno at hand: for where deno compile cannot fetch its runtime.
                       It unpacks itself once into the user's cache; Linux and macOS, this machine's kind only

deno compile takes its runtime (denort) from \$DENORT_BIN, from Deno's cache, or from dl.deno.land.

The last line of the output says whether the file was run here; a file for another machine is not verified.

Exit codes: 0 built, 2 usage, 3 the runtime cannot be had, a tool is missing, or the file does not run.

Example:
  deno task compile --carry-runtime && ./dist/lvsd demo
`;

if (import.meta.main) {
  Deno.exitCode = await runTask({ name: "compile", usage: USAGE, run: build, ownSignals: true }, Deno.args);
}

async function build(args: readonly string[]): Promise<number> {
  const { values: options, positionals } = parseOptions(args, {
    output: { type: "string", short: "o" },
    target: { type: "string" },
    "carry-runtime": { type: "boolean" },
  });
  if (positionals.length > 0) {
    throw new UsageError("BAD_ARGUMENTS", `takes options only, got ${positionals.join(" ")}`);
  }
  if (options.target !== undefined && options["carry-runtime"] === true) {
    throw new UsageError(
      "OPTIONS_EXCLUDE",
      "--carry-runtime carries this machine's Deno; it goes with no --target",
    );
  }
  if (options.target !== undefined) knownName("target", options.target, TARGETS);
  const output = resolve(options.output ?? "dist/lvsd");
  const directory = await Deno.makeTempDir({ prefix: "lvsd-compile-" });
  try {
    await Deno.mkdir(join(output, ".."), { recursive: true });
    const commit = await commitOf(ROOT);
    write(Deno.stderr, "bundling ...\n");
    const files = await bundle(directory);
    if (options["carry-runtime"] === true) {
      write(Deno.stderr, "packing the runtime, some 15 s ...\n");
      await carryRuntime({ version: metadata.version, commit, directory, output });
    } else {
      write(Deno.stderr, "deno compile ...\n");
      await compileBundle({ files, output, commit, target: options.target });
    }
    write(Deno.stderr, "trying it out ...\n");
    const runs = await tryOut(output, options.target, directory);
    await report(output, options["carry-runtime"] === true ? "carried runtime" : "deno compile", runs);
    return EXIT.ok;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** What came of trying the file: it is never said to be good without having run. */
async function tryOut(output: string, target: string | undefined, directory: string): Promise<string> {
  if (target !== undefined && target !== Deno.build.target) {
    return `not verified: it is for ${target}, and this is ${Deno.build.target}`;
  }
  const { code, stdout, stderr } = await new Deno.Command(output, {
    args: ["--version"],
    env: { XDG_CACHE_HOME: join(directory, "cache"), TMPDIR: directory },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (code === 0) return text(stdout);
  throw new SystemError("BUILT_FILE_FAILED", `${output} was built but does not run: ${text(stderr)}`, {
    code,
  });
}

async function report(output: string, kind: string, runs: string): Promise<void> {
  const bytes = await Deno.readFile(output);
  const sum = createHash("sha256").update(bytes).digest("hex");
  const size = (bytes.length / 1e6).toFixed(1);
  write(
    Deno.stdout,
    `${output}\n  kind    ${kind}\n  size    ${size} MB\n  sha256  ${sum}\n  runs    ${runs}\n`,
  );
}

function write(output: { writeSync(bytes: Uint8Array): number }, text: string): void {
  output.writeSync(new TextEncoder().encode(text));
}
