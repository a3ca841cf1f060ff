/**
 * What one decision of each scheduler costs among 1,000 destinations, beside a call that decides nothing.
 */
import { BoundSchedulers } from "../director/bound_schedulers.ts";
import { StoredDestinationList } from "../director/destination_list.ts";
import { Director } from "../director/director.ts";
import { ServiceTable } from "../director/services.ts";
import { Store } from "../director/store.ts";
import { IpAddress } from "../net/address.ts";
import { DIRECTION, Flow, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
import { SeededRandom } from "../net/random.ts";
import { findScheduler, SCHEDULER_NAMES } from "../schedulers/registry.ts";
import { NO_DESTINATION, type Scheduler } from "../schedulers/scheduler.ts";
import { STATELESS } from "../schedulers/stateless.ts";
import { type Spread, spread } from "./statistics.ts";

/** Name of the figure. */
export const PICKS = "picks";
/** The baseline's name. */
export const EMPTY_CALL = "empty call";

const DESTINATIONS = 1_000;
/** So that every destination has some: nq finds nobody idle and has to compare them all. */
const CONNECTIONS = 8_000;
/** Virtual addresses that lblc and lblcr learn. */
const ADDRESSES = 1_024;
const CLIENT_STEP = 0x9e3779b1;

/** One scheduler's line. */
export interface PickResult {
  readonly scheduler: string;
  /** Nanoseconds of one pick. */
  readonly ns: Spread;
  /** Bytes that one pick leaves on the heap. */
  readonly bytes: number;
}

/** How long one run of one scheduler takes, and how many picks the heap is watched for. */
export interface PickEffort {
  readonly rounds: number;
  readonly runMs: number;
  /** Of those that take longer than a microsecond: a tenth. */
  readonly heapPicks: number;
}

export const PICK_EFFORT: PickEffort = { rounds: 7, runMs: 50, heapPicks: 1_000_000 };

/** Measures all schedulers in turn, the empty call first in each round. */
export function measurePicks({ rounds, runMs, heapPicks }: PickEffort): PickResult[] {
  const runs = [EMPTY_CALL, ...SCHEDULER_NAMES].map((scheduler) => {
    const pick = prepare(scheduler);
    return { scheduler, pick, count: picksWithin(pick, runMs), ns: [] as number[] };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { pick, count, ns } of runs) ns.push(millisecondsOf(pick, count) * 1e6 / count);
  }
  return runs.map(({ scheduler, pick, ns }) => {
    const time = spread(ns);
    return { scheduler, ns: time, bytes: bytesOf(pick, time.median < 1_000 ? heapPicks : heapPicks / 10) };
  });
}

/** The table for people. */
export function picksTable(results: readonly PickResult[]): string {
  const rows = results.map(({ scheduler, ns, bytes }) => [
    scheduler,
    ...[ns.median, ns.lowest, ns.highest].map((it) => it.toFixed(it < 100 ? 1 : 0)),
    bytes.toFixed(3),
  ]);
  const lines = [["", "median", "lowest", "highest", "bytes"], ...rows].map(([name = "", ...cells]) =>
    name.padEnd(EMPTY_CALL.length) + cells.map((cell) => cell.padStart(10)).join("")
  );
  return [`${PICKS}: one decision among ${DESTINATIONS} destinations, ns and bytes of heap`, ...lines, ""]
    .join(
      "\n",
    );
}

/** Makes `count` picks. */
type Pick = (count: number) => void;

function prepare(name: string): Pick {
  const scheduler: Scheduler = { ...STATELESS, name: EMPTY_CALL, pick: () => NO_DESTINATION };
  const find = (wanted: string) => wanted === EMPTY_CALL ? scheduler : findScheduler(wanted);
  const store = Store.create({
    shared: true,
    capacities: { services: 1, destinations: DESTINATIONS, schedulerCells: 2 ** 20, persistenceTemplates: 1 },
  });
  const service = loadedService(store, find, name);
  const row = new ServiceTable(store).slotOf(service);
  const bound = new BoundSchedulers(store, find).of(row);
  if (bound === undefined) throw new RangeError(`no scheduler has the name ${name}`);
  const list = new StoredDestinationList(store).use(row);
  const random = new SeededRandom(1);
  const question = { flow: flowOf(0), flags: 0, inverse: false };
  const { client, virtual } = question.flow;
  return (count) => {
    for (let i = 0; i < count; i++) {
      client[0] = Math.imul(i, CLIENT_STEP);
      virtual[0] = i & (ADDRESSES - 1);
      bound.scheduler.pick(question, list, bound.cells, 0, random);
    }
  };
}

/** A service with connections by weight, which then gets the scheduler to be measured. */
function loadedService(store: Store, find: (name: string) => Scheduler | undefined, name: string): number {
  const random = new SeededRandom(1);
  const director = new Director({ store, random, findScheduler: find, connectionEntries: CONNECTIONS });
  const key = { protocol: PROTOCOL.tcp, address: IpAddress.parse("10.99.0.1"), port: 80 };
  const service = director.addService({ key, scheduler: "wlc" }, 0);
  for (let i = 0; i < DESTINATIONS; i++) {
    const address = IpAddress.ipv4(0x0a02_0000 + i);
    director.addDestination(service, { address, port: 80, method: "nat", weight: 1 + i % 7 }, 0);
  }
  for (let i = 0; i < CONNECTIONS; i++) director.segment(flowOf(i), DIRECTION.input, TCP_FLAG.syn, 60, 0);
  director.editService(service, { key, scheduler: name }, 0);
  return service;
}

function flowOf(client: number): Flow {
  return Flow.between(
    PROTOCOL.tcp,
    { address: IpAddress.ipv4(0x0a00_0000 + client), port: 40_000 },
    { address: IpAddress.parse("10.99.0.1"), port: 80 },
  );
}

/** How many picks fill the time, after enough of them to be compiled. */
function picksWithin(pick: Pick, runMs: number): number {
  pick(2 * ADDRESSES);
  let count = ADDRESSES;
  for (let ms = 0; (ms = millisecondsOf(pick, count)) < runMs;) {
    count = ms < runMs / 8 ? 2 * count : Math.ceil(1.1 * count * runMs / ms);
  }
  return count;
}

function millisecondsOf(pick: Pick, count: number): number {
  const startMs = performance.now();
  pick(count);
  return performance.now() - startMs;
}

/** The middle of three: one that a garbage collection or the compiler fell into says nothing. */
function bytesOf(pick: Pick, count: number): number {
  const runs = Array.from({ length: 3 }, () => {
    const before = Deno.memoryUsage().heapUsed;
    pick(count);
    return (Deno.memoryUsage().heapUsed - before) / count;
  });
  return Math.max(0, spread(runs).median);
}
