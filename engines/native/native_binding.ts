/**
 * A virtual service of the native engine, as the main thread sees it.
 *
 * @module
 */
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding, BindingOptions, NotInForce, OpenBinding } from "../engine.ts";
import { checkUdpOptions } from "../portable/udp_options.ts";
import type { Listening } from "./listeners.ts";
import type { SentOptions } from "./messages.ts";
import { connectionOptions } from "./socket_options.ts";

/** What a binding asks of its engine. */
export interface BindingOwner {
  /** @param before the options that were in force */
  updated(binding: NativeBinding, before: BindingOptions): void;
  /** Stops taking new clients; resolves when the listeners are closed, or have to stay for live UDP sessions. */
  closed(binding: NativeBinding): Promise<void>;
}

/** Listening, or closed with connections that still live. */
export class NativeBinding implements OpenBinding {
  readonly binding: Binding;
  readonly bound: Endpoint;
  readonly slot: number;
  /** One for each worker, or one for all. */
  readonly listeners: readonly number[];
  options: BindingOptions;
  notInForce: readonly NotInForce[];
  isClosed = false;
  /** Closed, and no worker knows the listener any more. */
  isOver = false;
  readonly #owner: BindingOwner;
  /** The steps of its closing, each taken once. */
  refusing: Promise<void> | undefined;
  releasing: Promise<void> | undefined;

  constructor(owner: BindingOwner, binding: Binding, slot: number, listening: Listening) {
    this.#owner = owner;
    this.binding = binding;
    this.options = binding.options;
    this.bound = listening.bound;
    this.slot = slot;
    this.listeners = listening.descriptors;
    this.notInForce = listening.refused;
  }

  /** @throws {ValueError} `OPTION_NOT_FOR_UDP` */
  update(options: BindingOptions): void {
    if (this.binding.protocol === "udp") checkUdpOptions(this.binding.name, options);
    const before = this.options;
    this.options = options;
    this.#owner.updated(this, before);
  }

  /** The options for workers, without what the kernel refused of them. */
  get optionsToSend(): SentOptions {
    const { tcp = {}, acceptProxyFrom, ...rest } = this.options;
    const refused = new Set(this.notInForce.map((it) => it.setting));
    return {
      ...rest,
      acceptProxyFrom: acceptProxyFrom.map((prefix) => `${prefix}`),
      serverSocket: connectionOptions(tcp).filter((it) => !refused.has(it.setting)),
    };
  }

  close(): Promise<void> {
    this.isClosed = true;
    return this.#owner.closed(this);
  }
}
