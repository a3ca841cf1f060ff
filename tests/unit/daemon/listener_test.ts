/** A listener whose engine takes its time to open, and what is decided meanwhile. */
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { ManualClock } from "../../../clock.ts";
import { Listener } from "../../../daemon/listener.ts";
import type { Binding, BindingOptions, Engine, OpenBinding } from "../../../engines/engine.ts";
import { SystemError } from "../../../errors.ts";
import { LIMITS } from "../../../limits.ts";
import { endpointOf } from "../../conformance/engines/heard_events.ts";
import { PLAIN } from "../../conformance/engines/tcp_setting.ts";

/** Opens when it is told to, as a native engine whose workers are only just starting. */
class SlowEngine implements Engine {
  readonly name = "portable";
  readonly asked: PromiseWithResolvers<void>[] = [];
  /** Options in force of each binding that was opened. */
  readonly inForce: BindingOptions[] = [];

  async open(binding: Binding): Promise<OpenBinding> {
    const asked = Promise.withResolvers<void>();
    this.asked.push(asked);
    await asked.promise;
    const place = this.inForce.push(binding.options) - 1;
    return {
      binding,
      bound: binding.listen,
      update: (options) => void (this.inForce[place] = options),
      close: () => Promise.resolve(),
    };
  }

  liveConnections(): number {
    return 0;
  }

  destinationRemoved(): void {}

  entryExpired(): void {}

  async resetAll(): Promise<void> {}

  async whenIdle(): Promise<void> {}

  async stop(): Promise<void> {}
}

function setting() {
  const engine = new SlowEngine();
  const clock = new ManualClock();
  const listener = new Listener({
    engine,
    clock,
    logger: getLogger(["lvsd", "tests"]),
    changed: () => {},
    binding: { service: 1, name: "web", protocol: "tcp", listen: endpointOf("192.0.2.1:80"), options: PLAIN },
  });
  return { engine, clock, listener };
}

Deno.test("listener: options that change while it opens are in force once it listens", async () => {
  const { engine, listener } = setting();
  const opening = listener.open();
  const options = { ...PLAIN, maxConnections: 7 };
  listener.update(options);
  engine.asked[0]?.resolve();
  await opening;
  assert.deepEqual(engine.inForce, [options]);
});

Deno.test("listener: one that could not be opened before it was closed is tried again only as often as it is wanted", async () => {
  const { engine, clock, listener } = setting();
  const opening = listener.open();
  const closing = listener.close("removed");
  engine.asked[0]?.reject(new SystemError("ADDRESS_NOT_LOCAL", "no such address", {}));
  await Promise.all([opening, closing]);
  const again = listener.open();
  engine.asked[1]?.resolve();
  await again;
  clock.advance(LIMITS.bindRetryMs);
  assert.equal(engine.asked.length, 2);
  assert.equal(listener.state, "listening");
});
