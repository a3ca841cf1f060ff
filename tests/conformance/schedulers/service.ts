/**
 * A virtual service for schedulers to work on: destinations in plain objects, and the calls in the order of the director.
 *
 * @module
 */
import { IpAddress } from "../../../net/address.ts";
import { Flow, PROTOCOL } from "../../../net/flow.ts";
import { type Random, SeededRandom } from "../../../net/random.ts";
import {
  type DestinationList,
  NO_DESTINATION,
  type Question,
  type Scheduler,
} from "../../../schedulers/scheduler.ts";

/** One real server, as open as a test wants it. */
export interface Server {
  address: IpAddress;
  port: number;
  weight: number;
  lastWeight: number;
  activeConns: number;
  inactiveConns: number;
  overloaded: boolean;
  available: boolean;
}

/** What may be said about a server; the rest is idle, weight 1. */
export type ServerText = Partial<Omit<Server, "address" | "lastWeight">> & { address: string };

/** A question as open as a test wants it. */
export type WritableQuestion = { -readonly [name in keyof Question]: Question[name] };

/** The kinds of memory that cells may lie in. */
export const MEMORIES = {
  "ArrayBuffer": (bytes: number): ArrayBufferLike => new ArrayBuffer(bytes),
  "SharedArrayBuffer": (bytes: number): ArrayBufferLike => new SharedArrayBuffer(bytes),
} as const;

export interface ServiceOptions {
  readonly flags?: number;
  readonly memory?: (bytes: number) => ArrayBufferLike;
  readonly random?: Random;
}

const GUARD_CELLS = 8;
const GUARD = 0x5a5a5a5a;

/** A service with one scheduler. A server that was removed can still be read, as from the director's trash. */
export class Service implements DestinationList {
  readonly #scheduler: Scheduler;
  readonly #servers: Server[] = [];
  readonly #memory: Int32Array;
  readonly #random: Random;
  readonly #question: WritableQuestion;
  #order: number[] = [];
  nowMs = 0;
  /** What the scheduler may write to. */
  readonly cells: Int32Array;

  constructor(
    scheduler: Scheduler,
    options: ServiceOptions = {},
  ) {
    this.#scheduler = scheduler;
    this.#random = options.random ?? new SeededRandom(1);
    this.#question = { flow: new Flow(), flags: options.flags ?? 0, inverse: false };
    const allocate = options.memory ?? MEMORIES.ArrayBuffer;
    this.#memory = new Int32Array(allocate(4 * (scheduler.cellCount + 2 * GUARD_CELLS))).fill(GUARD);
    this.cells = this.#memory.subarray(GUARD_CELLS, GUARD_CELLS + scheduler.cellCount);
    scheduler.start(this, this.cells);
  }

  /** Puts a server at the head of the list and returns its handle. */
  add(server: ServerText): number {
    const handle = this.addSilently(server);
    this.#scheduler.added(this, this.cells, handle);
    return handle;
  }

  /** Adds a server before the scheduler starts: it is not told. */
  addSilently({ address, weight = 1, ...rest }: ServerText): number {
    const handle = this.#servers.length;
    this.#servers[handle] = {
      ...{ port: 80, activeConns: 0, inactiveConns: 0, overloaded: false, available: true },
      ...rest,
      address: IpAddress.parse(address),
      weight,
      lastWeight: weight,
    };
    this.#order.unshift(handle);
    return handle;
  }

  /** Puts a removed server back, at the head of the list: its connections have kept it. */
  revive(handle: number): void {
    const server = this.server(handle);
    server.available = true;
    server.lastWeight = server.weight;
    this.#order.unshift(handle);
    this.#scheduler.added(this, this.cells, handle);
  }

  /** Adds several, first to last; the last one is the head of the list afterwards. */
  addAll(servers: readonly ServerText[]): number[] {
    return servers.map((server) => this.add(server));
  }

  remove(handle: number): void {
    this.#scheduler.removing(this, this.cells, handle);
    this.#order = this.#order.filter((other) => other !== handle);
    this.server(handle).available = false;
    this.#scheduler.removed(this, this.cells, handle);
  }

  setWeight(handle: number, weight: number): void {
    const server = this.server(handle);
    server.weight = weight;
    if (weight !== 0) server.lastWeight = weight;
    this.#scheduler.edited(this, this.cells);
  }

  /** Asks for a destination for a client; the connection is not counted. */
  pick(client = "192.0.2.1", clientPort = 40_000, cells = this.cells): number {
    const { flow } = this.#question;
    const { family, words } = IpAddress.parse(client);
    flow.family = family;
    flow.client.set(words);
    flow.clientPort = clientPort;
    return this.pickAgain(cells);
  }

  /** Asks again for the same client. */
  pickAgain(cells = this.cells): number {
    return this.#scheduler.pick(this.#question, this, cells, this.nowMs, this.#random);
  }

  /** Asks and counts an active connection (TCP) or an inactive one (UDP). */
  connect(client = "192.0.2.1", clientPort = 40_000): number {
    const handle = this.pick(client, clientPort);
    if (handle === NO_DESTINATION) return handle;
    if (this.#question.flow.protocol === PROTOCOL.udp) this.server(handle).inactiveConns++;
    else this.server(handle).activeConns++;
    return handle;
  }

  get question(): WritableQuestion {
    return this.#question;
  }

  get handles(): readonly number[] {
    return this.#order;
  }

  server(handle: number): Server {
    const server = this.#servers[handle];
    if (server === undefined) throw new RangeError(`no server has the handle ${handle}`);
    return server;
  }

  /** Everything but the cells, as text. */
  snapshot(): string {
    const servers = this.#servers.map((it) => ({ ...it, address: it.address.toString() }));
    const { flow, flags, inverse } = this.#question;
    const guards = [...this.#memory.subarray(0, GUARD_CELLS), ...this.#memory.subarray(-GUARD_CELLS)];
    return JSON.stringify({ order: this.#order, servers, flow, flags, inverse, guards });
  }

  get first(): number {
    return this.#order[0] ?? NO_DESTINATION;
  }
  get size(): number {
    return this.#order.length;
  }
  next(destination: number): number {
    return this.#order[this.#position(destination) + 1] ?? NO_DESTINATION;
  }
  previous(destination: number): number {
    return this.#order[this.#position(destination) - 1] ?? NO_DESTINATION;
  }
  addressWord(destination: number, index: number): number {
    return this.server(destination).address.words[index] ?? 0;
  }
  port(destination: number): number {
    return this.server(destination).port;
  }
  weight(destination: number): number {
    return this.server(destination).weight;
  }
  lastWeight(destination: number): number {
    return this.server(destination).lastWeight;
  }
  activeConns(destination: number): number {
    return this.server(destination).activeConns;
  }
  inactiveConns(destination: number): number {
    return this.server(destination).inactiveConns;
  }
  overloaded(destination: number): boolean {
    return this.server(destination).overloaded;
  }
  available(destination: number): boolean {
    return this.server(destination).available;
  }

  #position(destination: number): number {
    const position = this.#order.indexOf(destination);
    if (position < 0) throw new RangeError(`destination ${destination} is not in the list`);
    return position;
  }
}
