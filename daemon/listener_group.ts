/**
 * The listeners of one virtual service: one, or for a mark several or none.
 *
 * @module
 */
import type { Binding, BindingOptions, NotInForce } from "../engines/engine.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { Listener, type ListenerParts, type ListenerState } from "./listener.ts";

/** Opens, keeps trying and closes them together. */
export class ListenerGroup {
  readonly #parts: ListenerParts;
  readonly #listeners = new Map<string, Listener>();
  #isWanted = false;
  #problem = "";
  #binding: Binding;

  /** @param binding of the first listener; the others differ in their address alone */
  constructor(parts: ListenerParts, binding: Binding, addresses: readonly Endpoint[]) {
    this.#parts = parts;
    this.#binding = binding;
    this.#add(addresses);
  }

  /** The worst of them. Without any, which only rules can feed, it listens as long as it is wanted. */
  get state(): ListenerState {
    const states = [...this.#listeners.values()].map((it) => it.state);
    if (states.length === 0) return this.#isWanted ? "listening" : "closed";
    return states.find((it) => it !== "listening") ?? "listening";
  }

  /** Why one is not listening, `""` while all are. */
  get problem(): string {
    if (this.#listeners.size === 0) return this.#isWanted ? "" : this.#problem;
    return [...this.#listeners.values()].find((it) => it.problem !== "")?.problem ?? "";
  }

  /** What of the options does nothing here. */
  get notInForce(): readonly NotInForce[] {
    return [...this.#listeners.values()].flatMap((it) => it.notInForce);
  }

  /** The addresses really bound, else those wished for. */
  get addresses(): readonly Endpoint[] {
    return [...this.#listeners.values()].map((it) => it.address);
  }

  /** Those that are bound now. */
  get bound(): readonly Endpoint[] {
    return [...this.#listeners.values()].filter((it) => it.state === "listening").map((it) => it.address);
  }

  /** Tries each that is not open once, and resolves with the outcome known. */
  async open(): Promise<void> {
    this.#isWanted = true;
    const waiting = [...this.#listeners.values()].filter((it) => it.state === "closed");
    await Promise.all(waiting.map((it) => it.open()));
  }

  /** Takes effect for new connections. */
  update(options: BindingOptions): void {
    this.#binding = { ...this.#binding, options };
    for (const it of this.#listeners.values()) it.update(options);
  }

  /** Makes the addresses these: new ones open with the next {@linkcode open}; resolves when the others are closed. */
  async setAddresses(addresses: readonly Endpoint[]): Promise<void> {
    const wanted = new Set(addresses.map(formatEndpoint));
    const gone = [...this.#listeners].filter(([key]) => !wanted.has(key));
    for (const [key] of gone) this.#listeners.delete(key);
    this.#add(addresses);
    await Promise.all(gone.map(([, listener]) => listener.close("removed from the configuration")));
  }

  /** Stops listening; connections go on. */
  async close(reason: string): Promise<void> {
    this.#isWanted = false;
    this.#problem = reason;
    await Promise.all([...this.#listeners.values()].map((it) => it.close(reason)));
  }

  #add(addresses: readonly Endpoint[]): void {
    for (const listen of addresses) {
      const key = formatEndpoint(listen);
      if (this.#listeners.has(key)) continue;
      this.#listeners.set(key, new Listener({ ...this.#parts, binding: { ...this.#binding, listen } }));
    }
  }
}
