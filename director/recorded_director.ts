/**
 * A director that remembers what was asked of it.
 *
 * @module
 */
import { Director, type DirectorOptions } from "./director.ts";
import type { DestinationSpec, ServiceSpec } from "./specs.ts";
import type { SysctlName } from "./sysctl.ts";
import type { Timeouts } from "./timeouts.ts";
import { ACTION, type Verdict } from "./verdict.ts";
import { LIMITS } from "../limits.ts";
import { type Direction, type Flow, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
import type { FlightRing } from "./flight_ring.ts";

/** Segments with one of these move a connection's state. */
const TELLING = TCP_FLAG.syn | TCP_FLAG.fin | TCP_FLAG.rst;

/** Who is told of each change, after it took place. Handles are the director's. */
export interface ChangeListener {
  serviceAdded(service: number, spec: ServiceSpec, nowMs: number): void;
  serviceEdited(service: number, spec: ServiceSpec, nowMs: number): void;
  serviceDeleted(service: number, nowMs: number): void;
  destinationAdded(service: number, destination: number, spec: DestinationSpec, nowMs: number): void;
  destinationEdited(destination: number, spec: DestinationSpec, nowMs: number): void;
  destinationDeleted(destination: number, nowMs: number): void;
  weightSet(destination: number, weight: number, nowMs: number): void;
  ordered(service: number, destinations: readonly number[], nowMs: number): void;
  /** These two come without a time: nothing in the director happens by them. */
  timeoutsSet(timeouts: Timeouts): void;
  switchSet(name: SysctlName, value: number): void;
}

/** What a director records into. */
export interface RecordedDirectorOptions extends DirectorOptions {
  /** Traffic of this thread. */
  readonly ring: FlightRing;
  /** Changes, on the control plane's thread. */
  readonly recorder?: ChangeListener;
}

/**
 * Of a connection's payload one segment in `LIMITS.flightPayloadMs` is kept: enough to keep its timer right to a
 * second.
 */
export class RecordedDirector extends Director {
  readonly #ring: FlightRing;
  readonly #recorder: ChangeListener | undefined;
  /** When payload was last kept, by the lower bits of the entry's handle; colliding entries share a place. */
  readonly #payloadMs = new Float64Array(2 ** 16);

  constructor(options: RecordedDirectorOptions) {
    const { recorder } = options;
    const onSwitch = (name: SysctlName, value: number) => recorder?.switchSet(name, value);
    super({ ...options, onSwitch });
    this.#ring = options.ring;
    this.#recorder = recorder;
  }

  override segment(flow: Flow, direction: Direction, flags: number, bytes: number, nowMs: number): Verdict {
    const verdict = super.segment(flow, direction, flags, bytes, nowMs);
    if (this.#isKept(flow, flags, bytes, nowMs, verdict)) {
      this.#ring.segment(flow, direction, flags, bytes, nowMs, verdict);
    }
    return verdict;
  }

  override reschedule(flow: Flow, failed: readonly number[], nowMs: number): Verdict {
    const verdict = super.reschedule(flow, failed, nowMs);
    this.#ring.retry(flow, failed, nowMs, verdict);
    return verdict;
  }

  override forget(flow: Flow, nowMs: number): void {
    super.forget(flow, nowMs);
    this.#ring.forget(flow, nowMs);
  }

  override advance(nowMs: number): void {
    const [connections, templates] = [this.ownConnectionCount, this.templatesFired];
    super.advance(nowMs);
    const isQuiet = this.ownConnectionCount === connections && this.templatesFired === templates;
    if (!isQuiet) this.#ring.advance(nowMs);
  }

  override addService(spec: ServiceSpec, nowMs: number): number {
    const handle = super.addService(spec, nowMs);
    this.#recorder?.serviceAdded(handle, spec, nowMs);
    return handle;
  }

  override editService(service: number, spec: ServiceSpec, nowMs: number): void {
    super.editService(service, spec, nowMs);
    this.#recorder?.serviceEdited(service, spec, nowMs);
  }

  override deleteService(service: number, nowMs: number): void {
    super.deleteService(service, nowMs);
    this.#recorder?.serviceDeleted(service, nowMs);
  }

  override addDestination(service: number, spec: DestinationSpec, nowMs: number): number {
    const handle = super.addDestination(service, spec, nowMs);
    this.#recorder?.destinationAdded(service, handle, spec, nowMs);
    return handle;
  }

  override editDestination(destination: number, spec: DestinationSpec, nowMs: number): void {
    super.editDestination(destination, spec, nowMs);
    this.#recorder?.destinationEdited(destination, spec, nowMs);
  }

  override deleteDestination(destination: number, nowMs: number): void {
    super.deleteDestination(destination, nowMs);
    this.#recorder?.destinationDeleted(destination, nowMs);
  }

  override setWeight(destination: number, effectiveWeight: number, nowMs: number): void {
    super.setWeight(destination, effectiveWeight, nowMs);
    this.#recorder?.weightSet(destination, effectiveWeight, nowMs);
  }

  override orderDestinations(service: number, destinations: readonly number[], nowMs: number): void {
    super.orderDestinations(service, destinations, nowMs);
    this.#recorder?.ordered(service, destinations, nowMs);
  }

  override setTimeouts(timeouts: Parameters<Director["setTimeouts"]>[0]): void {
    super.setTimeouts(timeouts);
    this.#recorder?.timeoutsSet(this.timeouts);
  }

  #isKept(flow: Flow, flags: number, bytes: number, nowMs: number, verdict: Verdict): boolean {
    if (verdict.isNew || verdict.action !== ACTION.forward || (flags & TELLING) !== 0) return true;
    // The last step of a handshake: without payload, and it moves the state.
    if (flow.protocol === PROTOCOL.tcp && bytes === 0) return true;
    const place = verdict.entry & 0xffff;
    if (verdict.entry >= 0 && nowMs - (this.#payloadMs[place] ?? 0) < LIMITS.flightPayloadMs) return false;
    this.#payloadMs[place] = nowMs;
    return true;
  }
}
