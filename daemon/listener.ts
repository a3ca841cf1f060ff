/**
 * The listener of one virtual service. An address that cannot be bound is kept as `unbound` and tried again: a VIP may arrive
 * on this host later than the daemon does.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { Clock, Timer } from "../clock.ts";
import type { Binding, BindingOptions, Engine, NotInForce, OpenBinding } from "../engines/engine.ts";
import { SystemError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";

export type ListenerState = "listening" | "unbound" | "closed";

/** What a listener works with. */
export interface ListenerParts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The state changed: bound, lost or closed. */
  readonly changed: () => void;
}

/** Opens, keeps trying, closes. */
export class Listener {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #changed: () => void;
  #binding: Binding;
  #open: OpenBinding | undefined;
  #opening: Promise<void> | undefined;
  #retry: Timer | undefined;
  #wanted = false;
  #problem = "";

  constructor(options: ListenerParts & { readonly binding: Binding }) {
    this.#engine = options.engine;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#binding = options.binding;
    this.#changed = options.changed;
  }

  get state(): ListenerState {
    if (this.#open !== undefined) return "listening";
    return this.#wanted ? "unbound" : "closed";
  }

  /** Why it is not listening, `""` while it is. */
  get problem(): string {
    return this.#open === undefined ? this.#problem : "";
  }

  /** What of the options does nothing here. */
  get notInForce(): readonly NotInForce[] {
    return this.#open?.notInForce ?? [];
  }

  /** The address really bound, else the one wished for. */
  get address(): Endpoint {
    return this.#open?.bound ?? this.#binding.listen;
  }

  /** Tries once and resolves with the outcome known; keeps trying in the background when it failed. */
  async open(): Promise<void> {
    this.#wanted = true;
    this.#opening ??= this.#begin();
    await this.#opening;
  }

  /** Takes effect for new connections. */
  update(options: BindingOptions): void {
    const { options: before } = this.#binding;
    this.#binding = { ...this.#binding, options };
    this.#follow(before);
  }

  /** What listens gets the options that took the place of others. */
  #follow(before: BindingOptions): void {
    const { options } = this.#binding;
    if (this.#open === undefined) return;
    if (before.engine === options.engine) this.#open.update(options);
    else void this.#move();
  }

  async #begin(): Promise<void> {
    const { options } = this.#binding;
    try {
      await this.#try();
    } finally {
      this.#opening = undefined;
    }
    // An engine may take its time, in which a reload finds nothing open yet.
    if (this.#binding.options !== options) this.#follow(options);
  }

  /** Another engine: its listener takes the place of the old one's, whose connections go on. */
  async #move(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
    if (this.#wanted) await this.open();
  }

  /** Stops listening; connections go on. */
  async close(reason: string): Promise<void> {
    this.#wanted = false;
    this.#problem = reason;
    this.#retry?.cancel();
    await this.#opening;
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    await open.close();
    this.#changed();
  }

  async #try(): Promise<void> {
    const { name, listen, protocol } = this.#binding;
    try {
      const open = await this.#engine.open(this.#binding);
      if (!this.#wanted) return await open.close();
      this.#open = open;
      this.#logger.info("service {service} listens on {protocol} {address}", {
        service: name,
        protocol,
        address: formatEndpoint(open.bound),
      });
      this.#changed();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (!this.#wanted) return;
      // Said once for each kind of trouble, not every two seconds.
      if (error.message !== this.#problem) {
        this.#logger.error("unbound, will be tried again: {problem}", {
          service: name,
          address: formatEndpoint(listen),
          problem: error.message,
          code: error.code,
        });
      }
      this.#problem = error.message;
      this.#retry = this.#clock.after(LIMITS.bindRetryMs, () => {
        if (this.#wanted) void this.open();
      });
    }
  }
}
