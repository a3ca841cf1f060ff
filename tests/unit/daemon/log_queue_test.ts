import assert from "node:assert/strict";
import { LogQueue } from "../../../daemon/log_queue.ts";
import { LIMITS } from "../../../limits.ts";

/** An output that takes nothing until it is released. */
function slowOutput() {
  const taken: string[] = [];
  const gate = Promise.withResolvers<void>();
  return {
    taken,
    release: gate.resolve,
    output: {
      write: async (bytes: Uint8Array) => {
        await gate.promise;
        taken.push(new TextDecoder().decode(bytes));
        return bytes.length;
      },
    },
  };
}

Deno.test("log queue: keeps order and writes a burst at once", async () => {
  const { output, taken, release } = slowOutput();
  const queue = new LogQueue(output);
  queue.push("a\n");
  queue.push("b\n");
  release();
  await queue.flush();
  assert.deepEqual(taken, ["a\nb\n"]);
});

Deno.test("log queue: a slow reader costs records, never memory, and is told how many", async () => {
  const { output, taken, release } = slowOutput();
  const queue = new LogQueue(output);
  queue.push("first\n");
  await new Promise((resolve) => setTimeout(resolve, 0)); // the first write is under way
  for (let i = 0; i < LIMITS.logQueueRecords + 10; i++) queue.push("x\n");
  assert.equal(queue.dropped, 10);
  release();
  await queue.flush();
  assert.ok(taken.join("").includes("10 log records dropped"));
});

Deno.test("log queue: a closed output ends nothing", async () => {
  const queue = new LogQueue({ write: () => Promise.reject(new Deno.errors.BrokenPipe()) });
  queue.push("lost\n");
  await queue.flush();
  assert.equal(queue.dropped, 1);
});

Deno.test("log queue: an output that takes one byte at a time gets every byte", async () => {
  let text = "";
  const queue = new LogQueue({
    write: (bytes) => {
      text += String.fromCharCode(bytes[0] ?? 0);
      return Promise.resolve(1);
    },
  });
  queue.push("hello\n");
  await queue.flush();
  assert.equal(text, "hello\n");
});

Deno.test("log queue: a line pushed at any moment of the end of a write is written without waiting for another", async () => {
  for (let jobs = 0; jobs < 20; jobs++) {
    let text = "";
    const queue = new LogQueue({
      write: (bytes) => {
        text += new TextDecoder().decode(bytes);
        return Promise.resolve(bytes.length);
      },
    });
    queue.push("a\n");
    for (let i = 0; i < jobs; i++) await Promise.resolve();
    queue.push("b\n");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(text, "a\nb\n", `pushed after ${jobs} promise jobs`);
  }
});
