/**
 * Several engines as one: each service is opened by the engine that was chosen for it.
 *
 * @module
 */
import type { Binding, EndReason, Engine, OpenBinding } from "./engine.ts";

/** An engine and why it was chosen. */
export interface EngineChoice {
  readonly engine: Engine;
  readonly reason: string;
}

/** Chooses at each `open`; everything else concerns all engines. */
export class RoutedEngine implements Engine {
  readonly name: Engine["name"];
  readonly #engines: readonly Engine[];
  readonly #choose: (binding: Binding) => EngineChoice;

  /** @param engines the preferred one first: it gives the name */
  constructor(engines: readonly [Engine, ...Engine[]], choose: (binding: Binding) => EngineChoice) {
    this.name = engines[0].name;
    this.#engines = engines;
    this.#choose = choose;
  }

  open(binding: Binding): Promise<OpenBinding> {
    return this.#choose(binding).engine.open(binding);
  }

  liveConnections(service?: number): number {
    return this.#engines.reduce((sum, it) => sum + it.liveConnections(service), 0);
  }

  destinationRemoved(destination: number, cut: boolean): void {
    for (const it of this.#engines) it.destinationRemoved(destination, cut);
  }

  entryExpired(entry: number): void {
    for (const it of this.#engines) it.entryExpired(entry);
  }

  async resetAll(spreadMs: number, reason: EndReason, service?: number): Promise<void> {
    await Promise.all(this.#engines.map((it) => it.resetAll(spreadMs, reason, service)));
  }

  async whenIdle(): Promise<void> {
    // A connection may have been accepted by one engine while another one was waited for.
    while (this.liveConnections() > 0) await Promise.all(this.#engines.map((it) => it.whenIdle()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#engines.map((it) => it.stop()));
  }
}
