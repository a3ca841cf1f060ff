/** The portable engine's UDP half as an engine of its own. */
import type { Binding, EndReason, OpenBinding } from "../../../engines/engine.ts";
import { UdpBinding } from "../../../engines/portable/udp_binding.ts";
import type { EngineParts, UdpEngine } from "./udp_setting.ts";

export class PortableUdpEngine implements UdpEngine {
  readonly name = "portable";
  readonly #parts: EngineParts;
  readonly #open: UdpBinding[] = [];

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  open(binding: Binding): Promise<OpenBinding> {
    return Promise.try(() => {
      const open = UdpBinding.open(this.#parts, binding);
      this.#open.push(open);
      return open;
    });
  }

  liveConnections(service?: number): number {
    return this.#of(service).reduce((sum, it) => sum + it.liveConnections, 0);
  }

  destinationRemoved(destination: number, cut: boolean): void {
    for (const it of this.#open) it.destinationRemoved(destination, cut);
  }

  entryExpired(entry: number): void {
    for (const it of this.#open) it.entryExpired(entry);
  }

  async resetAll(spreadMs: number, reason: EndReason, service?: number): Promise<void> {
    await Promise.all(this.#of(service).map((it) => it.resetAll(spreadMs, reason)));
  }

  async whenIdle(): Promise<void> {
    await Promise.all(this.#open.map((it) => it.whenIdle()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#open.map((it) => it.stop()));
  }

  #of(service?: number): UdpBinding[] {
    return this.#open.filter((it) => service === undefined || it.binding.service === service);
  }
}
