/**
 * Plain pictures of what the director holds, for status, listing and logs.
 *
 * @module
 */
import { type Tunnel, unpackTunnel } from "../modes/tunnel.ts";
import { type Family, IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { PROTOCOL } from "../net/flow.ts";
import type { BoundSchedulers } from "./bound_schedulers.ts";
import type { ConnectionTable } from "./connections.ts";
import type { DestinationTable } from "./destinations.ts";
import { ENTRY, ENTRY_TIME, ENTRY_TIMES, ENTRY_WORDS } from "./entry_layout.ts";
import {
  DESTINATION,
  DESTINATION_WORDS,
  ENTRY_FLAG,
  METHOD,
  SERVICE,
  SERVICE_FLAG,
  SERVICE_WORDS,
  TEMPLATE,
  TEMPLATE_WORDS,
} from "./layout.ts";
import type { Estimate, Estimator } from "./estimator.ts";
import { engineName } from "./persistence_engines.ts";
import type { MethodName, ServiceKey } from "./specs.ts";
import type { Counters, Statistics } from "./statistics.ts";
import { SCTP_STATES } from "./sctp_states.ts";
import type { Store } from "./store.ts";
import { TCP_STATES } from "./tcp_states.ts";
import type { TemplateTable } from "./templates.ts";

export interface ServiceView {
  readonly handle: number;
  readonly key: ServiceKey;
  readonly scheduler: string;
  /** `SCHEDULER_FLAG` bits. */
  readonly flags: number;
  readonly onePacket: boolean;
  readonly persistence?: {
    readonly timeoutMs: number;
    readonly prefixLength: number;
    /** Netmask as four words. */
    readonly mask: readonly number[];
  };
  /** `--pe` of ipvsadm. */
  readonly persistenceEngine?: string;
  readonly destinationCount: number;
  /** Counted up to now. */
  readonly statistics: Counters;
  /** As the kernel shows it: counters as of the last reading, every 2 s, and rates. */
  readonly estimate: Estimate;
}

export interface DestinationView {
  readonly handle: number;
  /** Handle of its service. */
  readonly service: number;
  readonly address: IpAddress;
  readonly port: number;
  readonly method: MethodName;
  /** Acts for method tun only. */
  readonly tunnel: Tunnel;
  /** Weight in force. */
  readonly weight: number;
  readonly configuredWeight: number;
  readonly lastWeight: number;
  readonly activeConns: number;
  readonly inactiveConns: number;
  readonly persistentConns: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly overloaded: boolean;
  /** False in the trash. */
  readonly available: boolean;
  /** Counted up to now. */
  readonly statistics: Counters;
  /** As the kernel shows it, see {@linkcode ServiceView}. */
  readonly estimate: Estimate;
}

export interface ConnectionView {
  /** Handle of the entry; -1 for a template. */
  readonly entry: number;
  readonly isTemplate: boolean;
  /** IP protocol, 0 for a template of a mark. */
  readonly protocol: number;
  readonly client: Endpoint;
  /** For a template of a mark the mark as an address. */
  readonly virtual: Endpoint;
  readonly destination: Endpoint;
  readonly destinationHandle: number;
  /** As `ipvsadm -Lc` prints it. */
  readonly state: string;
  /** Time left without a packet; never below 0. */
  readonly expiresMs: number;
  /** `ENTRY_FLAG` bits. */
  readonly flags: number;
  /** Connections that hang on it. */
  readonly controls: number;
  /** Of a template that a persistence engine made: the engine's name, and what it found. */
  readonly persistenceEngine?: string;
  readonly persistenceData?: string;
}

/** What the pictures are taken of. */
export interface ViewParts {
  readonly store: Store;
  readonly destinations: DestinationTable;
  readonly templates: TemplateTable;
  readonly schedulers: BoundSchedulers;
  readonly statistics: Statistics;
  readonly estimator: Estimator;
  readonly table: ConnectionTable;
}

export function viewService(parts: ViewParts, slot: number): ServiceView {
  const { store, schedulers, statistics, estimator } = parts;
  const base = slot * SERVICE_WORDS;
  const word = (index: number) => store.services[base + index] ?? 0;
  const flags = word(SERVICE.flags);
  const family = familyOf(word(SERVICE.family));
  const mark = word(SERVICE.mark) >>> 0;
  const mask = [0, 1, 2, 3].map((i) => word(SERVICE.mask + i) >>> 0);
  return {
    handle: word(SERVICE.handle),
    key: mark !== 0 ? { mark, family } : {
      protocol: word(SERVICE.protocol),
      address: address(family, store.services, base + SERVICE.address),
      port: word(SERVICE.port),
    },
    scheduler: schedulers.name(slot),
    flags: flags & ~(SERVICE_FLAG.persistent | SERVICE_FLAG.onePacket),
    onePacket: (flags & SERVICE_FLAG.onePacket) !== 0,
    ...((flags & SERVICE_FLAG.persistent) !== 0 && {
      persistence: {
        timeoutMs: store.serviceTimes[slot] ?? 0,
        prefixLength: word(SERVICE.prefixLength),
        mask,
      },
    }),
    ...engineOf(word(SERVICE.persistenceEngine)),
    destinationCount: word(SERVICE.destinationCount),
    statistics: statistics.ofService(slot),
    estimate: estimator.ofService(slot),
  };
}

export function viewDestination(parts: ViewParts, slot: number): DestinationView {
  const { store, statistics, estimator } = parts;
  const base = slot * DESTINATION_WORDS;
  const word = (index: number) => store.destinations[base + index] ?? 0;
  return {
    handle: word(DESTINATION.handle),
    service: word(DESTINATION.service),
    address: address(familyOf(word(DESTINATION.family)), store.destinations, base + DESTINATION.address),
    port: word(DESTINATION.port),
    method: methodName(word(DESTINATION.entryFlags)),
    tunnel: unpackTunnel(word(DESTINATION.tunnel)),
    weight: word(DESTINATION.weight),
    configuredWeight: word(DESTINATION.configuredWeight),
    lastWeight: word(DESTINATION.lastWeight),
    activeConns: word(DESTINATION.activeConns),
    inactiveConns: word(DESTINATION.inactiveConns),
    persistentConns: word(DESTINATION.persistentConns),
    upperThreshold: word(DESTINATION.upperThreshold),
    lowerThreshold: word(DESTINATION.lowerThreshold),
    overloaded: word(DESTINATION.overloaded) === 1,
    available: word(DESTINATION.available) === 1,
    statistics: statistics.ofDestination(slot),
    estimate: estimator.ofDestination(slot),
  };
}

export function viewConnection(parts: ViewParts, row: number, nowMs: number): ConnectionView {
  const { table } = parts;
  const base = row * ENTRY_WORDS;
  const word = (index: number) => table.words[base + index] ?? 0;
  const family = familyOf(word(ENTRY.kind) >>> 8);
  const protocol = word(ENTRY.kind) & 0xff;
  const expiresMs = table.times[row * ENTRY_TIMES + ENTRY_TIME.expiresMs] ?? 0;
  return {
    entry: word(ENTRY.handle),
    isTemplate: false,
    protocol,
    client: { address: address(family, table.words, base + ENTRY.client), port: word(ENTRY.ports) >>> 16 },
    virtual: {
      address: address(family, table.words, base + ENTRY.virtual),
      port: word(ENTRY.ports) & 0xffff,
    },
    destination: destinationEndpoint(parts, word(ENTRY.destination), word(ENTRY.destinationPort)),
    destinationHandle: word(ENTRY.destination),
    state: stateName(protocol, word(ENTRY.state)),
    expiresMs: Math.max(0, expiresMs - nowMs),
    flags: word(ENTRY.flags),
    controls: 0,
  };
}

export function viewTemplate(parts: ViewParts, row: number, nowMs: number): ConnectionView {
  const { store, templates } = parts;
  const base = row * TEMPLATE_WORDS;
  const word = (index: number) => store.templates[base + index] ?? 0;
  const family = familyOf(word(TEMPLATE.family));
  return {
    entry: -1,
    isTemplate: true,
    protocol: word(TEMPLATE.protocol),
    client: { address: address(family, store.templates, base + TEMPLATE.client), port: 0 },
    virtual: {
      address: address(family, store.templates, base + TEMPLATE.virtual),
      port: word(TEMPLATE.virtualPort),
    },
    destination: destinationEndpoint(parts, word(TEMPLATE.destination), word(TEMPLATE.destinationPort)),
    destinationHandle: word(TEMPLATE.destination),
    state: word(TEMPLATE.assured) === 1 ? "ASSURED" : "NONE",
    expiresMs: Math.max(0, templates.expiresMs(row) - nowMs),
    flags: word(TEMPLATE.entryFlags) | ENTRY_FLAG.template,
    controls: word(TEMPLATE.controls),
    ...engineOf(templates.engine(row)),
    ...(templates.engine(row) !== 0 && {
      persistenceData: new TextDecoder("latin1").decode(templates.data(row).slice()),
    }),
  };
}

function engineOf(number: number): { readonly persistenceEngine?: string } {
  const persistenceEngine = engineName(number);
  return persistenceEngine === undefined ? {} : { persistenceEngine };
}

function destinationEndpoint(parts: ViewParts, handle: number, port: number): Endpoint {
  const words = parts.store.destinations;
  const base = parts.destinations.slotOf(handle) * DESTINATION_WORDS;
  return {
    address: address(familyOf(words[base + DESTINATION.family] ?? 4), words, base + DESTINATION.address),
    port,
  };
}

function stateName(protocol: number, state: number): string {
  if (protocol === PROTOCOL.udp) return "UDP";
  return (protocol === PROTOCOL.tcp ? TCP_STATES : SCTP_STATES)[state] ?? "NONE";
}

function methodName(flags: number): MethodName {
  const method = flags & ENTRY_FLAG.methodMask;
  return method === METHOD.tun ? "tun" : method === METHOD.dr ? "dr" : "nat";
}

function familyOf(value: number): Family {
  return value === 6 ? 6 : 4;
}

function address(family: Family, words: Int32Array, index: number): IpAddress {
  return new IpAddress(family, Uint32Array.from(words.subarray(index, index + 4), (word) => word >>> 0));
}
