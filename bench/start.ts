/**
 * `deno task bench:start [FILE]`: how long the built file takes to start, beside `deno run` of the sources, turn by turn.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseOptions } from "../cli/options.ts";
import { EXIT, SystemError, UsageError } from "../errors.ts";
import { permissionsOf } from "../scripts/packaging/permissions.ts";
import { pairRatios, spread } from "./statistics.ts";
import { print, runTask, showProgress } from "./task.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const PAIRS = 15;
const USAGE = `usage: deno task bench:start [FILE]
  FILE        the built file (default: dist/lvsd, of deno task compile --carry-runtime)
  -h, --help  this text

Example:
  deno task compile --carry-runtime && deno task bench:start
`;

/** What is started, and the line that ends the measurement; without one, it is the end of the process. */
const STARTS: readonly { readonly words: readonly string[]; readonly until?: RegExp }[] = [
  { words: ["schedulers"] },
  { words: ["run", "--admin", "off", "--tcp", "127.0.0.1:0", "--to", "127.0.0.1:9"], until: / ready: / },
];

if (import.meta.main) {
  Deno.exitCode = await runTask({ name: "bench:start", usage: USAGE, run: main }, Deno.args);
}

async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [given = "dist/lvsd", ...more] = parseOptions(args, {}).positionals;
  if (more.length > 0) throw new UsageError("BAD_ARGUMENTS", `takes one FILE, got ${more.join(" ")} too`);
  const file = resolve(given);
  if (!(await Deno.stat(file).catch(() => undefined))?.isFile) {
    throw new SystemError("FILE_NOT_FOUND", `there is no ${file}; deno task compile makes it`, { file });
  }
  const folder = await Deno.makeTempDir({ prefix: "lvsd-start-" });
  try {
    print(`${PAIRS} pairs, median (lowest to highest)\n`);
    for (const start of STARTS) await compare(file, start, folder, signal);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return EXIT.ok;
}

async function compare(
  file: string,
  { words, until }: (typeof STARTS)[number],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const sources = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    ...permissionsOf(words[0]),
    MAIN,
    ...words,
  ];
  const built: number[] = [];
  const run: number[] = [];
  // The first start of each unpacks, or fills caches.
  for (let pair = -1; pair < PAIRS; pair++) {
    signal.throwIfAborted();
    showProgress(`lvsd ${words[0]}: ${pair < 0 ? "warming up" : `pair ${pair + 1} of ${PAIRS}`}`);
    const times = [await startMs([file, ...words], until, folder), await startMs(sources, until, folder)];
    if (pair < 0) continue;
    built.push(times[0] ?? 0);
    run.push(times[1] ?? 0);
  }
  showProgress("");
  const what = `lvsd ${words[0]}, ${until === undefined ? "whole command" : "until it is ready"}`;
  const ratio = spread(pairRatios(built, run));
  print(
    `${what}: built file ${text(spread(built), 0)} ms, deno run ${text(spread(run), 0)} ms, ratio ${
      text(ratio, 2)
    }\n`,
  );
}

async function startMs(
  [program = "", ...args]: readonly string[],
  until: RegExp | undefined,
  folder: string,
): Promise<number> {
  const startedMs = performance.now();
  const child = new Deno.Command(program, {
    args,
    env: { LVSD_SOCKET: `${folder}/control.sock` },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  let tookMs = 0;
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += chunk;
    if (tookMs > 0 || !until?.test(said)) continue;
    tookMs = performance.now() - startedMs;
    child.kill("SIGKILL");
  }
  const { code } = await child.status;
  if (until === undefined && code === 0) return performance.now() - startedMs;
  if (tookMs === 0) throw new Error(`${program} did not start: ${said}`);
  return tookMs;
}

function text({ median, lowest, highest }: ReturnType<typeof spread>, digits: number): string {
  return `${median.toFixed(digits)} (${lowest.toFixed(digits)} to ${highest.toFixed(digits)})`;
}
