/**
 * Proves what the native engine relies on: a worker that blocks in the kernel, is rung by an eventfd, reads its mailbox
 * without an event loop, shares a store under a lock, survives bundling, and stops.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { Libc } from "../../sys/libc.ts";
import { LoopWorker, type Observed, runLoop } from "./worker_loop.ts";
import { WORD } from "./worker_loop_words.ts";

const ignore = Deno.build.os !== "linux";
const INCREMENTS = 20_000;

function assertProven(observed: Observed, increments: number): void {
  assert.equal(observed.sum, 2 * increments, "the lock word keeps the other worker out");
  for (const step of ["ready", "done", "stopped"] as const) {
    assert.deepEqual(observed[step].map(({ id, kind }) => [id, kind]), [[1, step], [2, step]]);
  }
  for (const answer of observed.done) {
    assert.equal(answer.generation, 7, "a worker that answers has seen what was stored before it was rung");
    assert.equal(answer.turns, 1, "it blocks until it is rung: one ring, one turn");
  }
  for (const answer of observed.stopped) {
    assert.equal(answer.eventsFired, 0, "a message event never fires in the loop");
  }
}

Deno.test({
  name: "two workers in blocking loops are rung, told, share a store and stop",
  ignore,
  fn: async () => assertProven(await runLoop(INCREMENTS), INCREMENTS),
});

Deno.test({
  name: "the same works when main and worker are bundled",
  ignore,
  fn: async () => {
    const directory = await Deno.makeTempDir({ prefix: "lvsd-spike-" });
    try {
      const source = (name: string) => fileURLToPath(new URL(name, import.meta.url));
      buildSync({
        entryPoints: [source("worker_loop.ts"), source("worker_loop_worker.ts")],
        bundle: true,
        format: "esm",
        platform: "neutral",
        external: ["node:*"],
        outdir: directory,
      });
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-config", join(directory, "worker_loop.js")],
        signal: AbortSignal.timeout(20_000),
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      assertProven(JSON.parse(new TextDecoder().decode(stdout)), 1_000);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "a worker that dies under the lock is noticed, and the lock word names it",
  ignore,
  fn: async () => {
    using libc = Libc.open();
    const words = new Int32Array(new SharedArrayBuffer(WORD.count * Int32Array.BYTES_PER_ELEMENT));
    await using worker = new LoopWorker(libc, 3, words);
    assert.equal((await worker.answer()).kind, "ready");
    worker.tell({ increments: 1, dieInside: true });
    assert.match((await worker.died).message, /died under the lock/);
    assert.equal(Atomics.load(words, WORD.lock), 3);
  },
});
