/**
 * What a director is made of, and how its parts are put together.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import type { Random } from "../net/random.ts";
import { Answers, type OnDrop } from "./answers.ts";
import { BoundSchedulers, type FindScheduler } from "./bound_schedulers.ts";
import { ConnectionTable } from "./connections.ts";
import { Defence } from "./defence.ts";
import { StoredDestinationList } from "./destination_list.ts";
import { DestinationTable } from "./destinations.ts";
import { Entries, type OnExpire } from "./entries.ts";
import { EntryDropping } from "./entry_dropping.ts";
import { Estimator } from "./estimator.ts";
import { Locks } from "./locks.ts";
import type { IsBypassed, TrafficParts } from "./opening.ts";
import { RealServers } from "./real_servers.ts";
import { Scheduling } from "./scheduling.ts";
import { ServiceTable } from "./services.ts";
import { Statistics } from "./statistics.ts";
import type { Store } from "./store.ts";
import type { SysctlName } from "./sysctl.ts";
import { TemplateTable } from "./templates.ts";
import { Trash } from "./trash.ts";

export interface DirectorOptions {
  readonly store: Store;
  /** Seeds the hash of the connection table, and is handed to the schedulers. */
  readonly random: Random;
  readonly findScheduler: FindScheduler;
  /** 0, the default, is the control plane's thread; every other thread has its own number below the store's workers. */
  readonly workerIndex?: number;
  /** Entries of this thread's connection table. */
  readonly connectionEntries?: number;
  /** Another director's `connectionMemory` that this one carries on with; that director must not be used any more. */
  readonly connectionMemory?: ArrayBufferLike;
  /** For `cache_bypass`; without it the switch has no effect. */
  readonly isBypassed?: IsBypassed;
  /** Entries that new connections may still have, for `amemthresh`; by default what the connection table has left. */
  readonly availableEntries?: () => number;
  /** An entry ended by itself; its sockets, if any, have to go. Do not open connections from inside: a lock may be held. */
  readonly onExpire?: OnExpire;
  /** A switch was set here. */
  readonly onSwitch?: (name: SysctlName, value: number) => void;
  /** A segment was not forwarded; `flow` and `verdict` are the director's own, copy what is kept. */
  readonly onDrop?: OnDrop;
}

/** The parts, all over one store. */
export interface DirectorParts extends TrafficParts {
  readonly schedulers: BoundSchedulers;
  readonly list: StoredDestinationList;
  readonly estimator: Estimator;
  readonly trash: Trash;
}

/** Makes one thread's parts. */
export function makeParts(options: DirectorOptions): DirectorParts {
  const { store, random, findScheduler, workerIndex = 0, onExpire, onDrop } = options;
  const seed = random.below(2 ** 32) | 0;
  // The control plane has to notice a dead worker, so it must not wait for one for ever.
  const locks = new Locks(workerIndex, {
    shared: store.shared,
    ...(workerIndex === 0 && { patienceMs: LIMITS.lockWaitMs }),
  });
  const services = new ServiceTable(store);
  const destinations = new DestinationTable(store);
  const templates = new TemplateTable(store, destinations, store.hashSeed(seed));
  const schedulers = new BoundSchedulers(store, findScheduler);
  const list = new StoredDestinationList(store);
  const statistics = new Statistics(store, workerIndex);
  const { connectionMemory, connectionEntries = LIMITS.connectionEntries } = options;
  const table = connectionMemory === undefined
    ? ConnectionTable.create(store, connectionEntries, seed)
    : ConnectionTable.attach(store, connectionMemory);
  const entries = new Entries({ store, table, destinations, templates, locks, onExpire });
  const base = { store, table, services, destinations, templates, entries, statistics, locks };
  return {
    ...base,
    schedulers,
    list,
    estimator: new Estimator(base),
    trash: new Trash({ ...base, schedulers }),
    scheduling: new Scheduling({ store, destinations, templates, schedulers, list, locks, random }),
    answers: new Answers(table, statistics, onDrop),
    defence: makeDefence({ ...base, random }, workerIndex, options.availableEntries),
    realServers: new RealServers(store, services, destinations),
    isBypassed: options.isBypassed,
  };
}

function makeDefence(
  parts: ConstructorParameters<typeof EntryDropping>[0],
  workerIndex: number,
  availableEntries: (() => number) | undefined,
): Defence {
  const dropping = new EntryDropping(parts);
  return new Defence({
    header: parts.store.header,
    workerIndex,
    available: availableEntries ?? (() => parts.table.available),
    dropEntries: (nowMs) => dropping.run(nowMs),
  });
}
