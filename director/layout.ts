/**
 * Where everything is in the store. Records are rows of 32-bit words; times and counters are 64-bit floats beside
 * them. Row 0 of every table stays unused, so that 0 means "none" and fresh memory is an empty store.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";

/** How much a store can hold. */
export interface Capacities {
  readonly services: number;
  readonly destinations: number;
  readonly persistenceTemplates: number;
  /** 32-bit cells for the schedulers of all services. */
  readonly schedulerCells: number;
  /** Threads that count traffic. */
  readonly workers: number;
}

export const DEFAULT_CAPACITIES: Capacities = {
  services: LIMITS.services,
  destinations: LIMITS.destinations,
  persistenceTemplates: LIMITS.persistenceTemplates,
  schedulerCells: LIMITS.schedulerCells,
  workers: 1,
};

/** Words of the header. */
export const HEADER = {
  magic: 0,
  version: 1,
  services: 2,
  destinations: 3,
  persistenceTemplates: 4,
  schedulerCells: 5,
  workers: 6,
  /** Raised by every change of the control plane. */
  generation: 7,
  hashSeed: 8,
  /** Odd while the table of services is being changed; readers try again. */
  serviceSequence: 9,
  controlLock: 10,
  templateLock: 11,
  /** First and last service in order of addition. */
  firstService: 12,
  lastService: 13,
  /** The kernel's `nullsvc_counter` (port 0, and marks) and `ftpsvc_counter`. */
  portZeroServices: 14,
  ftpServices: 15,
  firstTrash: 16,
  lastTrash: 17,
  /** Raised when `expire_nodest_conn` wants every connection table swept. */
  sweep: 18,
  templateCount: 19,
  templateRover: 20,
  /** A bit for each thread that is short of entries, see defence.ts. */
  shortWorkers: 21,
  /** Three words each: see `SlotPool`. */
  serviceSlots: 24,
  destinationSlots: 28,
  templateSlots: 32,
  sysctl: 64,
} as const;
export const HEADER_WORDS = 128;

/** 64-bit floats of the header. */
export const HEADER_TIME = {
  /** When the trash is scanned next; 0: it is empty. */
  trashScanMs: 0,
  /** Timer wheel of the templates: the tick reached, plus 1. */
  templateTick: 1,
  /** When the counters are read next for the rates; 0: nobody asked yet. */
  estimationMs: 2,
  /** Timeouts in ms by state, see timeouts.ts. */
  timeouts: 8,
} as const;
export const HEADER_TIMES = 64;

/** Words of a service row. */
export const SERVICE = {
  /** Handle of the service; above 0 while the row is in use. */
  handle: 0,
  slotLink: 1,
  lock: 2,
  /** Raised when the scheduler or its cells change, over all uses of the row. */
  schedulerVersion: 3,
  /** From here on a new service finds zeros. IP protocol; services of a mark are stored as TCP, as the kernel does. */
  protocol: 4,
  family: 5,
  address: 6,
  port: 10,
  mark: 11,
  flags: 12,
  /** Persistence netmask. */
  mask: 13,
  prefixLength: 17,
  /** 16 ASCII bytes, as the kernel's IP_VS_SCHEDNAME_MAXLEN. */
  schedulerName: 18,
  cells: 22,
  cellCount: 23,
  firstDestination: 24,
  lastDestination: 25,
  destinationCount: 26,
  hashLink: 27,
  /** Order of addition. */
  next: 28,
  previous: 29,
  /** Number of the persistence engine, 0 for none. */
  persistenceEngine: 30,
} as const;
export const SERVICE_WORDS = 32;
/** Persistence timeout in ms, one per service. */
export const SERVICE_TIMES = 1;

/** Kernel's bits in a service's flags (`SCHEDULER_FLAG` holds 0x08 to 0x20). */
export const SERVICE_FLAG = { persistent: 0x01, onePacket: 0x04 } as const;

/** Words of a destination row. */
export const DESTINATION = {
  handle: 0,
  slotLink: 1,
  /** Handle of its service; the service may be gone. */
  service: 2,
  next: 3,
  previous: 4,
  family: 5,
  address: 6,
  port: 10,
  weight: 11,
  lastWeight: 12,
  configuredWeight: 13,
  /** Entry flags that a connection to it starts with: forwarding method, `noOutput`. */
  entryFlags: 14,
  upperThreshold: 15,
  lowerThreshold: 16,
  overloaded: 17,
  available: 18,
  activeConns: 19,
  inactiveConns: 20,
  persistentConns: 21,
  /** Identity of the service it belonged to, for revival from the trash. */
  serviceFamily: 22,
  serviceProtocol: 23,
  serviceAddress: 24,
  servicePort: 28,
  serviceMark: 29,
  /** See `packTunnel`. */
  tunnel: 30,
} as const;
export const DESTINATION_WORDS = 32;
/** When it was first seen unused in the trash, plus 1; 0: in use. */
export const DESTINATION_TIMES = 1;

/** Words of a persistence template's row. */
export const TEMPLATE = {
  /** Above 0 while the row is in use. */
  handle: 0,
  slotLink: 1,
  hashLink: 2,
  /** IP protocol, 0 for a mark. */
  protocol: 3,
  family: 4,
  client: 5,
  virtual: 9,
  virtualPort: 13,
  destination: 14,
  destinationPort: 15,
  entryFlags: 16,
  assured: 17,
  /** Connections that hang on it. */
  controls: 18,
  inPackets: 19,
  wheelNext: 20,
  wheelPrevious: 21,
  wheelBucket: 22,
  /** Number of the persistence engine that made it, 0 for none. */
  engine: 23,
} as const;
export const TEMPLATE_WORDS = 24;
/** What an engine found: its length, and up to 255 bytes. */
export const TEMPLATE_DATA_BYTES = 256;
/** Floats of a template: when it ends, and its timeout. */
export const TEMPLATE_TIME = { expiresMs: 0, timeoutMs: 1 } as const;
export const TEMPLATE_TIMES = 2;

/** Kernel's bits in a connection's flags. */
export const ENTRY_FLAG = {
  methodMask: 0x07,
  noOutput: 0x80,
  inactive: 0x100,
  template: 0x1000,
  onePacket: 0x2000,
} as const;
/** Kernel's numbers of the forwarding methods. */
export { FORWARDING as METHOD } from "../modes/translation.ts";

/** Counters of one object: connections, packets in and out, bytes in and out. */
export const COUNTER = { connections: 0, inPackets: 1, outPackets: 2, inBytes: 3, outBytes: 4 } as const;
export const COUNTERS = 5;
/** Room for one counter per drop reason. */
export const DROP_COUNTERS = 16;

/** Where the counters of an object begin inside one worker's block. */
export interface CounterLayout {
  readonly total: number;
  readonly drops: number;
  readonly services: number;
  readonly destinations: number;
  readonly block: number;
}

export function counterLayout(capacities: Capacities): CounterLayout {
  const drops = COUNTERS;
  const services = drops + DROP_COUNTERS;
  const destinations = services + (capacities.services + 1) * COUNTERS;
  return {
    total: 0,
    drops,
    services,
    destinations,
    block: destinations + (capacities.destinations + 1) * COUNTERS,
  };
}

/** Chains of a hash table: the power of two at or above `capacity`. */
export function hashChains(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, capacity)));
}
