/** A director on a small store with a plain round robin, and short words to talk to it. */
import assert from "node:assert/strict";
import { Director, type DirectorOptions } from "../../../director/director.ts";
import { Store } from "../../../director/store.ts";
import type { DestinationSpec, ServiceSpec } from "../../../director/specs.ts";
import { ACTION, Verdict } from "../../../director/verdict.ts";
import type { DestinationView } from "../../../director/views.ts";
import { type Endpoint, isNamed, parseEndpoint } from "../../../net/endpoint.ts";
import { DIRECTION, Flow, PROTOCOL, TCP_FLAG } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler } from "../../../schedulers/scheduler.ts";

export const { syn: SYN, ack: ACK, fin: FIN, rst: RST } = TCP_FLAG;

/** Round robin as section 1 of the schedulers' reference, small enough to be read at a glance. */
export const plainRoundRobin: Scheduler = {
  name: "rr",
  cellCount: 1,
  start: (_list, cells) => void (cells[0] = NO_DESTINATION),
  added: () => {},
  removing: (list, cells, destination) => {
    if (cells[0] === destination) cells[0] = list.previous(destination);
  },
  removed: () => {},
  edited: () => {},
  pick: (_question, list, cells) => {
    const cursor = cells[0] ?? NO_DESTINATION;
    let candidate = after(list, cursor);
    for (let i = 0; i < list.size; i++, candidate = after(list, candidate)) {
      if (list.weight(candidate) > 0 && !list.overloaded(candidate)) {
        cells[0] = candidate;
        return candidate;
      }
    }
    return NO_DESTINATION;
  },
};

function after(list: DestinationList, destination: number): number {
  const next = destination === NO_DESTINATION ? NO_DESTINATION : list.next(destination);
  return next === NO_DESTINATION ? list.first : next;
}

/** Always the head of the list, with no memory: tells whether a switch of schedulers took place. */
export const headFirst: Scheduler = {
  name: "head",
  cellCount: 0,
  start: () => {},
  added: () => {},
  removing: () => {},
  removed: () => {},
  edited: () => {},
  pick: (_question, list) => list.first,
};

const SCHEDULERS = [plainRoundRobin, headFirst];

/** Both kinds of memory; every behaviour holds on both. */
export const MEMORIES = [{ shared: false, on: "ArrayBuffer" }, {
  shared: true,
  on: "SharedArrayBuffer",
}] as const;

export function makeDirector(options: Partial<DirectorOptions> & { shared?: boolean } = {}): Director {
  const { shared = false, ...rest } = options;
  return new Director({
    store: Store.create({
      shared,
      capacities: { services: 16, destinations: 64, persistenceTemplates: 64, schedulerCells: 1_024 },
    }),
    random: new SeededRandom(7),
    findScheduler: (name) => SCHEDULERS.find((scheduler) => scheduler.name === name),
    connectionEntries: 256,
    ...rest,
  });
}

export function at(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  assert.ok(!isNamed(endpoint), `${text} is a name`);
  return endpoint;
}

export function tcp(client: string, virtual = "10.99.0.1:80"): Flow {
  return Flow.between(PROTOCOL.tcp, at(client), at(virtual));
}

export function udp(client: string, virtual = "10.99.0.1:53"): Flow {
  return Flow.between(PROTOCOL.udp, at(client), at(virtual));
}

export function tcpService(virtual = "10.99.0.1:80", more: Partial<ServiceSpec> = {}): ServiceSpec {
  return { key: { protocol: PROTOCOL.tcp, ...at(virtual) }, scheduler: "rr", ...more };
}

export function udpService(virtual = "10.99.0.1:53", more: Partial<ServiceSpec> = {}): ServiceSpec {
  return { key: { protocol: PROTOCOL.udp, ...at(virtual) }, scheduler: "rr", ...more };
}

export function destination(endpoint: string, more: Partial<DestinationSpec> = {}): DestinationSpec {
  return { ...at(endpoint), method: "nat", weight: 1, ...more };
}

/** `[active, inactive, persistent]` of a destination. */
export function counts(view: DestinationView | undefined): number[] {
  assert.ok(view, "no such destination");
  return [view.activeConns, view.inactiveConns, view.persistentConns];
}

/** Makes a director on the memory under test. */
export type MakeDirector = (options?: Partial<DirectorOptions>) => Director;
/** Cases of a suite that runs on every memory, by what they say. */
export type Cases = Readonly<Record<string, (make: MakeDirector) => void>>;

/** One packet from the client; returns a copy of the verdict, for the director refills its own. */
export function from(director: Director, flow: Flow, flags: number, nowMs: number, bytes = 40): Verdict {
  return Object.assign(new Verdict(), director.segment(flow, DIRECTION.input, flags, bytes, nowMs));
}

/** One packet from the real server. */
export function back(director: Director, flow: Flow, flags: number, nowMs: number, bytes = 40): Verdict {
  return Object.assign(new Verdict(), director.segment(flow, DIRECTION.output, flags, bytes, nowMs));
}

/** A handshake as a socket engine reports it. */
export function open(director: Director, flow: Flow, nowMs: number): Verdict {
  const verdict = from(director, flow, SYN, nowMs);
  if (verdict.action === ACTION.forward) {
    back(director, flow, SYN | ACK, nowMs);
    from(director, flow, ACK, nowMs);
  }
  return verdict;
}

/** Both sides say they are done, the client first. */
export function close(director: Director, flow: Flow, nowMs: number): void {
  from(director, flow, FIN | ACK, nowMs);
  back(director, flow, FIN | ACK, nowMs);
  from(director, flow, ACK, nowMs);
}

/** Where a verdict goes: `address:port`, or the word for its action. */
export function target(director: Director, verdict: Verdict): string {
  if (verdict.action !== ACTION.forward) return Object.keys(ACTION)[verdict.action] ?? "?";
  return `${director.destinationAddress(verdict.destination).host}:${verdict.destinationPort}`;
}
