/**
 * A virtual service of the native engine, as the main thread sees it.
 *
 * @module
 */
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding, BindingOptions, OpenBinding } from "../engine.ts";

/** What a binding asks of its engine. */
export interface BindingOwner {
  updated(binding: NativeBinding): void;
  closed(binding: NativeBinding): Promise<void>;
}

/** Listening, or closed with connections that still live. */
export class NativeBinding implements OpenBinding {
  readonly binding: Binding;
  readonly bound: Endpoint;
  readonly slot: number;
  readonly listener: number;
  options: BindingOptions;
  isClosed = false;
  /** Closed, and no worker knows the listener any more. */
  isOver = false;
  readonly #owner: BindingOwner;
  #closing: Promise<void> | undefined;

  constructor(owner: BindingOwner, binding: Binding, bound: Endpoint, slot: number, listener: number) {
    this.#owner = owner;
    this.binding = binding;
    this.options = binding.options;
    this.bound = bound;
    this.slot = slot;
    this.listener = listener;
  }

  update(options: BindingOptions): void {
    this.options = options;
    this.#owner.updated(this);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return this.#closing ??= this.#owner.closed(this).then(() => void (this.isOver = true));
  }
}
