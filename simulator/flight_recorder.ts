/**
 * The flight recorder: the last decisions, state changes and drops of a running director, written as a script that
 * `lvsd simulate` plays.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { CALL, type FlightRing, type FlightRow } from "../director/flight_ring.ts";
import type { ChangeListener } from "../director/recorded_director.ts";
import type { DestinationSpec, ServiceKey, ServiceSpec } from "../director/specs.ts";
import type { Timeouts } from "../director/timeouts.ts";
import { ACTION } from "../director/verdict.ts";
import { LIMITS } from "../limits.ts";
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { DIRECTION } from "../net/flow.ts";
import { KnownState } from "./known_state.ts";
import type { Expectation, FlowDescription, ServiceSettings, Step } from "./script.ts";
import { formatLine } from "./script_writer.ts";
import { refusalWord } from "./world.ts";

/** What is written besides the events. */
export interface RecordFacts {
  /** Seed of the director's random numbers. */
  readonly seed: number;
  /** For people. */
  readonly wallTime: string;
}

interface Change {
  readonly atMs: number;
  /** Rows of the first ring that were written before. */
  readonly position: number;
  readonly step: Step;
}

interface Event {
  readonly atMs: number;
  readonly position: number;
  readonly text: string;
}

/** Listens to changes, and puts them together with the rings' traffic when a record is asked for. */
export class FlightRecorder implements ChangeListener {
  readonly #rings: readonly FlightRing[];
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #base = new KnownState();
  #changes: Change[] = [];
  readonly #services = new Map<number, ServiceKey>();
  readonly #destinations = new Map<number, { service: ServiceKey; endpoint: Endpoint }>();
  /** Forget handles that were deleted; rows may still name them for a while. */
  readonly #gone: (() => void)[] = [];

  /** @param rings of all threads, the control plane's first */
  constructor(rings: readonly FlightRing[], clock: Clock) {
    this.#rings = rings;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
  }

  serviceAdded(handle: number, spec: ServiceSpec, nowMs: number): void {
    this.#services.set(handle, spec.key);
    this.#note({ verb: "service", key: spec.key, settings: settingsOf(spec) }, nowMs);
  }

  serviceEdited(handle: number, spec: ServiceSpec, nowMs: number): void {
    const key = this.#services.get(handle);
    if (key !== undefined) {
      this.#note({ verb: "change", service: { key }, settings: settingsOf(spec) }, nowMs);
    }
  }

  serviceDeleted(handle: number, nowMs: number): void {
    const key = this.#services.get(handle);
    if (key !== undefined) this.#note({ verb: "remove", service: { key } }, nowMs);
    this.#forgetLater(this.#services, handle);
  }

  destinationAdded(service: number, handle: number, spec: DestinationSpec, nowMs: number): void {
    const key = this.#services.get(service);
    if (key === undefined) return;
    this.#destinations.set(handle, { service: key, endpoint: { address: spec.address, port: spec.port } });
    this.#note({ verb: "add", service: { key }, destination: spec }, nowMs);
  }

  destinationEdited(handle: number, spec: DestinationSpec, nowMs: number): void {
    const known = this.#destinations.get(handle);
    if (known !== undefined) {
      this.#note({ verb: "edit", service: { key: known.service }, destination: spec }, nowMs);
    }
  }

  destinationDeleted(handle: number, nowMs: number): void {
    const known = this.#destinations.get(handle);
    if (known !== undefined) {
      this.#note({ verb: "delete", service: { key: known.service }, destination: known.endpoint }, nowMs);
    }
    this.#forgetLater(this.#destinations, handle);
  }

  weightSet(handle: number, weight: number, nowMs: number): void {
    const known = this.#destinations.get(handle);
    if (known === undefined) return;
    this.#note(
      { verb: "weight", service: { key: known.service }, destination: known.endpoint, weight },
      nowMs,
    );
  }

  ordered(service: number, handles: readonly number[], nowMs: number): void {
    const key = this.#services.get(service);
    if (key === undefined) return;
    const destinations = handles.flatMap((it) => this.#destinations.get(it)?.endpoint ?? []);
    this.#note({ verb: "order", service: { key }, destinations }, nowMs);
  }

  timeoutsSet(timeouts: Timeouts): void {
    this.#note({ verb: "timeouts", timeouts }, this.#clock.nowMs());
  }

  switchSet(name: string, value: number): void {
    this.#note({ verb: "sysctl", name, value }, this.#clock.nowMs());
  }

  /** The script. */
  record(facts: RecordFacts): string {
    const traffic = this.#rings.map((ring) => ring.rows());
    const isWhole = this.#rings.every((ring) => ring.isWhole);
    const oldestMs = isWhole ? -Infinity : Math.min(...traffic.map((rows) => rows[0]?.atMs ?? Infinity));
    this.#fold((change) => change.atMs < oldestMs);
    const events = this.#events(traffic);
    const lines = [
      `# lvsd flight record of ${facts.wallTime}, ${events.length} events`,
      isWhole
        ? "# from the start: a replay decides alike"
        : "# from the middle: older events were overwritten, and connections open before are not known here",
      "clock recorded",
      `seed ${facts.seed}`,
      ...[...this.#base.steps()].map((step) => formatLine({ step })),
      ...events.map((it) => it.text),
    ];
    return `${lines.join("\n")}\n`;
  }

  #events(traffic: readonly (readonly FlightRow[])[]): Event[] {
    const events: Event[] = this.#changes.map(({ atMs, position, step }) => ({
      atMs,
      position,
      text: formatLine({ atMs: this.#sinceStartMs(atMs), step }),
    }));
    traffic.forEach((rows, ring) => {
      const first = (this.#rings[ring]?.written ?? rows.length) - rows.length;
      rows.forEach((row, i) => {
        const text = this.#text(row);
        if (text !== undefined) events.push({ atMs: row.atMs, position: first + i + 0.5, text });
      });
    });
    return events.sort((a, b) => a.atMs - b.atMs || a.position - b.position);
  }

  #text(row: FlightRow): string | undefined {
    const step = this.#step(row);
    if (step === undefined) return undefined;
    const expected = this.#expectation(row);
    return formatLine({
      atMs: this.#sinceStartMs(row.atMs),
      step,
      ...(expected === undefined ? {} : { expected }),
    });
  }

  /** Clocks have nanoseconds; a subtraction of theirs has digits behind these that mean nothing. */
  #sinceStartMs(atMs: number): number {
    return Number((atMs - this.#startMs).toFixed(6));
  }

  #step(row: FlightRow): Step | undefined {
    if (row.call === CALL.advance) return { verb: "advance" };
    const key = this.#services.get(row.service);
    const flow: FlowDescription = {
      protocol: row.protocol,
      client: { address: new IpAddress(row.family, row.client), port: row.clientPort },
      to: { address: new IpAddress(row.family, row.virtual), port: row.virtualPort },
      ...(key === undefined ? {} : { through: { key } }),
      ...(row.mark === 0 ? {} : { mark: row.mark }),
    };
    if (row.call === CALL.forget) return { verb: "forget", flow };
    if (row.call === CALL.retry) {
      const failed = row.failed.flatMap((it) => this.#destinations.get(it)?.endpoint ?? []);
      return { verb: "retry", flow, failed };
    }
    const direction = row.direction === DIRECTION.output ? DIRECTION.output : DIRECTION.input;
    return { verb: "segment", flow, direction, flags: row.flags, bytes: row.bytes, packets: row.packets };
  }

  #expectation(row: FlightRow): Expectation | undefined {
    if (row.call === CALL.advance || row.call === CALL.forget) return undefined;
    if (row.action !== ACTION.forward) return { refusal: refusalWord(row.reason) };
    const address = this.#destinations.get(row.destination)?.endpoint.address;
    const isDecision = row.isNew || row.call === CALL.retry;
    return isDecision && address !== undefined
      ? { destination: { address, port: row.destinationPort } }
      : undefined;
  }

  #note(step: Step, nowMs: number): void {
    this.#changes.push({ atMs: nowMs, position: this.#rings[0]?.written ?? 0, step });
    if (this.#changes.length <= LIMITS.flightChanges) return;
    let count = 0;
    this.#fold(() => ++count <= LIMITS.flightChanges / 2);
  }

  /** Moves the oldest changes into the state that a record begins with. */
  #fold(isOld: (change: Change) => boolean): void {
    const end = this.#changes.findIndex((change) => !isOld(change));
    const old = this.#changes.splice(0, end < 0 ? this.#changes.length : end);
    for (const { step } of old) this.#base.apply(step);
  }

  /** @param known services or destinations: the same number may be a handle of each */
  #forgetLater(known: Map<number, unknown>, handle: number): void {
    this.#gone.push(() => known.delete(handle));
    if (this.#gone.length > LIMITS.flightRows) this.#gone.shift()?.();
  }
}

function settingsOf({ scheduler, flags = 0, onePacket = false, ...more }: ServiceSpec): ServiceSettings {
  const { persistence, persistenceEngine } = more;
  return {
    scheduler,
    flags,
    onePacket,
    ...(persistence === undefined ? {} : { persistence }),
    ...(persistenceEngine === undefined ? {} : { persistenceEngine }),
  };
}
