/** Threads that are started before there is work: how many a config wants, and that none is left over. */
import assert from "node:assert/strict";
import { loadConfig } from "../../../config/load.ts";
import { threadsWanted } from "../../../daemon/native_place.ts";
import { ThreadStock } from "../../../engines/native/thread_stock.ts";

const ignore = Deno.build.os !== "linux";

function wanted(text: string): number {
  return threadsWanted(loadConfig(text, "", () => undefined));
}

Deno.test({
  name: "threads: as many as the config's workers, where a service will need them",
  ignore,
  fn() {
    const packet = "packet: {interfaces: [{name: eth0, addresses: [10.1.0.1/24]}]}";
    assert.equal(wanted("workers: 3\nservices: [{listen: :8080, destinations: [10.0.0.1]}]"), 3);
    assert.equal(
      wanted("workers: 3\nservices: [{listen: 10.1.0.9:80, mode: dr, destinations: [10.0.0.1]}]"),
      3,
    );
    assert.equal(wanted("workers: 3"), 0);
    assert.equal(
      wanted("workers: 3\nservices: [{listen: :8080, engine: portable, destinations: [10.0.0.1]}]"),
      0,
    );
    assert.equal(
      wanted(`${packet}\nworkers: 3\nservices: [{listen: 10.1.0.9:80, mode: dr, destinations: [10.1.0.5]}]`),
      0,
    );
  },
});

Deno.test({
  name: "threads: those that wait are taken first, each once, then new ones",
  ignore,
  fn() {
    using stock = new ThreadStock();
    stock.fill(1);
    const taken = [stock.take(), stock.take()];
    assert.notEqual(taken[0], taken[1]);
    for (const it of taken) it.terminate();
  },
});

// A thread that waits keeps its process alive.
Deno.test({
  name: "threads: what nobody took is ended",
  ignore,
  async fn() {
    const module = new URL("../../../engines/native/thread_stock.ts", import.meta.url);
    const text = `import { ThreadStock } from "${module}"; using stock = new ThreadStock(); stock.fill(2);`;
    const { code, signal } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", text],
      signal: AbortSignal.timeout(20_000),
    }).output();
    assert.deepEqual([code, signal], [0, null]);
  },
});
