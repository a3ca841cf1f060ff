/**
 * The memory that decisions read: services, destinations, scheduler cells, persistence templates, counters. Fixed
 * capacity, one layout, on an `ArrayBuffer` (one thread) or a `SharedArrayBuffer` (workers).
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import { formatAddress } from "../net/address.ts";
import {
  type Capacities,
  type CounterLayout,
  counterLayout,
  DEFAULT_CAPACITIES,
  DESTINATION_TIMES,
  DESTINATION_WORDS,
  hashChains,
  HEADER,
  HEADER_TIMES,
  HEADER_WORDS,
  SERVICE_TIMES,
  SERVICE_WORDS,
  TEMPLATE_DATA_BYTES,
  TEMPLATE_TIMES,
  TEMPLATE_WORDS,
} from "./layout.ts";
import { resetSysctl } from "./sysctl.ts";
import { resetTimeouts } from "./timeouts.ts";
import { WHEEL_BUCKETS } from "./timer_wheel.ts";

/** "lvsd", little-endian, and the number of the layout. */
const MAGIC = 0x6473766c;
const LAYOUT_VERSION = 2;

/**
 * Typed arrays over one buffer. A worker attaches to the buffer that the main thread made.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const store = Store.create({ shared: true, capacities: { services: 8, destinations: 32 } });
 * const inWorker = Store.attach(store.buffer);
 * store.changed();
 * assert.equal(inWorker.generation, 1);
 * ```
 */
export class Store {
  readonly buffer: ArrayBufferLike;
  readonly shared: boolean;
  readonly capacities: Capacities;
  readonly counterLayout: CounterLayout;

  readonly header: Int32Array;
  readonly times: Float64Array;
  readonly services: Int32Array;
  readonly serviceTimes: Float64Array;
  readonly serviceChains: Int32Array;
  readonly destinations: Int32Array;
  readonly destinationTimes: Float64Array;
  readonly templates: Int32Array;
  readonly templateTimes: Float64Array;
  /** Rows of `TEMPLATE_DATA_BYTES`. */
  readonly templateData: Uint8Array;
  readonly templateChains: Int32Array;
  readonly templateWheel: Int32Array;
  readonly cells: Int32Array;
  /** One block per worker. */
  readonly counters: Float64Array;
  /** What was counted before the last `-Z`; one block. */
  readonly counterBases: Float64Array;
  /** Counters as of the estimator's last reading, what they were at the last `-Z`, and averages; one block each. */
  readonly readings: Float64Array;
  readonly readingBases: Float64Array;
  readonly rateAverages: Float64Array;

  private constructor(buffer: ArrayBufferLike, capacities: Capacities) {
    const at = sections(capacities);
    this.buffer = buffer;
    this.shared = buffer instanceof SharedArrayBuffer;
    this.capacities = capacities;
    this.counterLayout = counterLayout(capacities);
    const words = (section: Section) => new Int32Array(buffer, section.offset, section.length);
    const floats = (section: Section) => new Float64Array(buffer, section.offset, section.length);
    this.header = words(at.header);
    this.times = floats(at.times);
    this.services = words(at.services);
    this.serviceTimes = floats(at.serviceTimes);
    this.serviceChains = words(at.serviceChains);
    this.destinations = words(at.destinations);
    this.destinationTimes = floats(at.destinationTimes);
    this.templates = words(at.templates);
    this.templateTimes = floats(at.templateTimes);
    this.templateData = new Uint8Array(buffer, at.templateData.offset, at.templateData.length);
    this.templateChains = words(at.templateChains);
    this.templateWheel = words(at.templateWheel);
    this.cells = words(at.cells);
    this.counters = floats(at.counters);
    this.counterBases = floats(at.counterBases);
    this.readings = floats(at.readings);
    this.readingBases = floats(at.readingBases);
    this.rateAverages = floats(at.rateAverages);
  }

  /** A new, empty store. Memory is reserved, not touched: the system hands out pages as rows come into use. */
  static create(options: { shared?: boolean; capacities?: Partial<Capacities> } = {}): Store {
    const capacities = { ...DEFAULT_CAPACITIES, ...options.capacities };
    const bytes = sections(capacities).end;
    const store = new Store(
      options.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes),
      capacities,
    );
    const { header } = store;
    header[HEADER.magic] = MAGIC;
    header[HEADER.version] = LAYOUT_VERSION;
    header[HEADER.services] = capacities.services;
    header[HEADER.destinations] = capacities.destinations;
    header[HEADER.persistenceTemplates] = capacities.persistenceTemplates;
    header[HEADER.schedulerCells] = capacities.schedulerCells;
    header[HEADER.workers] = capacities.workers;
    resetSysctl(header);
    resetTimeouts(store.times);
    return store;
  }

  /**
   * The store in a buffer that {@linkcode Store.create} made.
   *
   * @throws {DirectorError} `EINVAL` when the buffer holds something else, or another layout.
   */
  static attach(buffer: ArrayBufferLike): Store {
    const header = new Int32Array(buffer, 0, HEADER_WORDS);
    if (header[HEADER.magic] !== MAGIC || header[HEADER.version] !== LAYOUT_VERSION) {
      throw new DirectorError(
        "EINVAL",
        `the buffer holds no store of layout ${LAYOUT_VERSION}; main thread and workers must be the same lvsd`,
      );
    }
    return new Store(buffer, {
      services: header[HEADER.services] ?? 0,
      destinations: header[HEADER.destinations] ?? 0,
      persistenceTemplates: header[HEADER.persistenceTemplates] ?? 0,
      schedulerCells: header[HEADER.schedulerCells] ?? 0,
      workers: header[HEADER.workers] ?? 0,
    });
  }

  /** Number of changes of the control plane so far. */
  get generation(): number {
    return Atomics.load(this.header, HEADER.generation);
  }

  /** Raises the generation: something that decisions read has changed. */
  changed(): void {
    Atomics.add(this.header, HEADER.generation, 1);
  }

  /** Seed of the hash tables in the store: the first one proposed wins, so all workers agree. */
  hashSeed(proposed: number): number {
    const before = Atomics.compareExchange(this.header, HEADER.hashSeed, 0, proposed | 1);
    return before === 0 ? proposed | 1 : before;
  }
}

/** Text of an address held in a row. */
export function addressText(family: number, words: Int32Array, index: number): string {
  return formatAddress(family === 6 ? 6 : 4, Uint32Array.from(words.subarray(index, index + 4)));
}

interface Section {
  readonly offset: number;
  readonly length: number;
}

function sections(capacities: Capacities) {
  let end = 0;
  const take = (length: number, bytes: number): Section => {
    const offset = end;
    // Every section starts on a cache line of its own: locks and counters of neighbours do not disturb each other.
    end += Math.ceil(length * bytes / 64) * 64;
    return { offset, length };
  };
  const { services, destinations, persistenceTemplates, schedulerCells, workers } = capacities;
  const block = counterLayout(capacities).block;
  const at = {
    header: take(HEADER_WORDS, 4),
    times: take(HEADER_TIMES, 8),
    services: take((services + 1) * SERVICE_WORDS, 4),
    serviceTimes: take((services + 1) * SERVICE_TIMES, 8),
    serviceChains: take(hashChains(services), 4),
    destinations: take((destinations + 1) * DESTINATION_WORDS, 4),
    destinationTimes: take((destinations + 1) * DESTINATION_TIMES, 8),
    templates: take((persistenceTemplates + 1) * TEMPLATE_WORDS, 4),
    templateTimes: take((persistenceTemplates + 1) * TEMPLATE_TIMES, 8),
    templateData: take((persistenceTemplates + 1) * TEMPLATE_DATA_BYTES, 1),
    templateChains: take(hashChains(persistenceTemplates), 4),
    templateWheel: take(WHEEL_BUCKETS, 4),
    cells: take(schedulerCells, 4),
    counters: take(block * workers, 8),
    counterBases: take(block, 8),
    readings: take(block, 8),
    readingBases: take(block, 8),
    rateAverages: take(block, 8),
  };
  return { ...at, end };
}
