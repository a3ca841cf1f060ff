/**
 * The packet engine as the control plane sees it: services whose packets a worker forwards.
 *
 * @module
 */
import { SystemError } from "../../errors.ts";
import type { LoggedPacket } from "../../hooks/logged_packet.ts";
import type { Chain } from "../../hooks/rule.ts";
import { counterSlots } from "../../hooks/rule_set.ts";
import { LIMITS } from "../../limits.ts";
import type { Random } from "../../net/random.ts";
import type { Store } from "../../director/store.ts";
import type { Binding, Engine, OpenBinding } from "../engine.ts";
import type { Surroundings } from "./packet_path.ts";
import { type Done, PacketThread, type PacketThreadListener, type Wish } from "./packet_thread.ts";
import type { Probe, ProbePath } from "./probes.ts";
import { packChains, type PackedRules } from "./rule_transfer.ts";
import type { Wiring } from "./wiring.ts";
import type { WorkerCounts } from "./worker_messages.ts";

export interface PacketEngineOptions {
  /** Shared memory; the worker decides over the same services. */
  readonly store: Store;
  /** Below the store's number of workers, and nobody else's. */
  readonly workerIndex: number;
  readonly random: Random;
  /** Interfaces and routes; virtual addresses come with the services. */
  readonly wiring: Wiring;
  /** ActiveConn of a service, over all its destinations; 0 when the service is gone. */
  readonly activeConns: (service: number) => number;
  /** The worker's connection table came, to be listed with the others. */
  readonly attachConnections: (memory: ArrayBufferLike) => void;
  /** The worker died with this table. @returns how many connections were lost with it */
  readonly recover: (memory: ArrayBufferLike) => number;
  /** Something that a person has to know of, about a service. */
  readonly trouble: (service: number, message: string) => void;
  /** A LOG rule met a packet; the worker leaves out what would be too much. */
  readonly onLog?: (packet: LoggedPacket) => void;
  /** Whether the forwarding thread goes before ordinary ones, where that is allowed. Default true. */
  readonly isRealtime?: boolean;
}

/** How often it is looked whether the last connection of a closed service has ended, and at the MTUs, milliseconds. */
const LOOK_MS = 1_000;

/** Of the engine's own addresses, which nobody else uses; all of them in turn, so that a late answer meets nobody. */
const PROBE_PORTS = { first: 32_768, last: 60_999 } as const;

/** One check's packets. */
export interface ProbeConversation extends Disposable {
  readonly port: number;
  /** Header included; the checksum is filled in. Nothing is sent while the engine is not up. */
  send(segment: Uint8Array): void;
}

/** Forwards packets of virtual services on Linux with CAP_NET_RAW. Nothing of it stays on the host when it is gone. */
export class PacketEngine implements Engine, PacketThreadListener {
  readonly name = "packet";
  readonly #options: PacketEngineOptions;
  readonly #open = new Set<Binding>();
  /** Closed, but with connections: their address stays until those have ended. */
  readonly #leaving = new Set<Binding>();
  #chains: readonly Chain[] = [];
  #serviceNames: readonly string[] = [];
  /** In which the worker counts what its rules have met. */
  #counters = new SharedArrayBuffer(0);
  #timer: ReturnType<typeof setInterval> | undefined;
  #thread: PacketThread | undefined;
  #starting: Promise<void> | undefined;
  #startedMs = 0;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  readonly #probing = new Map<number, (segment: Uint8Array) => void>();
  #probePort: number = PROBE_PORTS.first;

  constructor(options: PacketEngineOptions) {
    this.#options = options;
  }

  async open(binding: Binding): Promise<OpenBinding> {
    this.#open.add(binding);
    try {
      await this.#bringUp();
    } catch (error) {
      this.#open.delete(binding);
      throw error;
    }
    return {
      binding,
      bound: binding.listen,
      update: () => {},
      close: async () => {
        this.#open.delete(binding);
        this.#leaving.add(binding);
        await this.#letGo();
      },
    };
  }

  /** Rules that packets of all services are asked; `services` are the names in the order of their numbers. */
  async setRules(chains: readonly Chain[], services: readonly string[]): Promise<void> {
    this.#chains = chains;
    this.#serviceNames = services;
    this.#counters = new SharedArrayBuffer(counterSlots(chains) * Float64Array.BYTES_PER_ELEMENT);
    await this.#order({ kind: "rules", rules: this.#rules() });
  }

  /** Packets and bytes of each rule, then of each chain's policy, as the worker counts them. */
  get ruleCounters(): Float64Array {
    return new Float64Array(this.#counters);
  }

  /** Lets those counters begin at 0; the worker does it in its next turn. */
  zeroRuleCounters(): void {
    void this.#order({ kind: "zero" });
  }

  /** ActiveConn: a packet engine holds no sockets, the director knows. */
  liveConnections(service?: number): number {
    if (service !== undefined) return this.#options.activeConns(service);
    return [...this.#open, ...this.#leaving].reduce((sum, it) => sum + this.liveConnections(it.service), 0);
  }

  /** Connections end by the director's timers, as in the kernel. */
  destinationRemoved(): void {}

  entryExpired(): void {}

  /** A director in the kernel resets nobody either: connections go on as soon as packets are forwarded again. */
  async resetAll(): Promise<void> {}

  async whenIdle(): Promise<void> {
    while (this.liveConnections() > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  /**
   * A conversation with a real server whose packets go the way of clients' packets, from the director's own address.
   *
   * @param heard gets what comes back; an empty segment means that the server's host calls the port closed
   * @throws {SystemError} `PORTS_EXHAUSTED`
   */
  probe(
    path: ProbePath,
    protocol: Probe["protocol"],
    heard: (segment: Uint8Array) => void,
  ): ProbeConversation {
    const port = this.#freeProbePort();
    this.#probing.set(port, heard);
    return {
      port,
      send: (segment) => {
        void this.#order({ kind: "probe", probe: { path, protocol, segment } });
      },
      [Symbol.dispose]: () => {
        this.#probing.delete(port);
        void this.#order({ kind: "unprobe", port });
      },
    };
  }

  #freeProbePort(): number {
    const { first, last } = PROBE_PORTS;
    for (let tries = first; tries <= last; tries++) {
      const port = this.#probePort;
      this.#probePort = port === last ? first : port + 1;
      if (!this.#probing.has(port)) return port;
    }
    throw new SystemError("PORTS_EXHAUSTED", `all ports ${first} to ${last} are in use by checks`, {});
  }

  /** The worker's counters. */
  async counts(): Promise<WorkerCounts | undefined> {
    return (await this.#order({ kind: "count" })).counts;
  }

  /** What a packet would meet; undefined while no service is open. */
  async surroundings(): Promise<Surroundings | undefined> {
    const { sight } = await this.#order({ kind: "look" });
    if (sight === undefined) return undefined;
    return { ...sight, wiring: this.#wiring(), rules: this.#rules() };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#restart);
    await this.#starting?.catch(() => {});
    clearInterval(this.#timer);
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.stop();
  }

  /** For tests: the worker dies of an error. */
  fail(): void {
    void this.#order({ kind: "fail" });
  }

  reported(report: Parameters<PacketThreadListener["reported"]>[0]): void {
    if (report.kind === "log") this.#options.onLog?.(report.packet);
    else this.#probing.get(report.port)?.(report.segment);
  }

  /** Its connections are out of all counters, and packets go on as soon as another thread is there. */
  died({ connections }: PacketThread, cause: Error | undefined): void {
    const { recover, trouble } = this.#options;
    clearInterval(this.#timer);
    this.#thread = undefined;
    this.#starting = undefined;
    const lost = connections === undefined ? 0 : recover(connections);
    for (const { service } of this.#open) {
      trouble(
        service,
        `the packet engine's worker died (${
          cause?.message ?? "no reason known"
        }); connections of all services that are ` +
          `forgotten: ${lost}; it is started again`,
      );
    }
    this.#startAgain();
  }

  /** At once, unless it died young: then what killed it is likely to kill the next one too. */
  #startAgain(): void {
    if (this.#isStopped) return;
    const isYoung = performance.now() - this.#startedMs < LIMITS.workerRestartMs;
    this.#restart = setTimeout(async () => {
      try {
        await this.#bringUp();
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        for (const { service } of this.#open) this.#options.trouble(service, error.message);
        this.#startAgain();
      }
    }, isYoung ? LIMITS.workerRestartMs : 0);
  }

  #rules(): PackedRules {
    const numbers = [...this.#open, ...this.#leaving].map(({ service, name }) =>
      [service, this.#serviceNames.indexOf(name)] as const
    );
    return {
      chains: packChains(this.#chains),
      services: this.#serviceNames,
      numbers: numbers.filter(([, number]) => number >= 0),
      counters: this.#counters,
    };
  }

  #wiring(): Wiring {
    const { wiring } = this.#options;
    const own = [...this.#open, ...this.#leaving].map(({ listen }) => listen.address.toString());
    return { ...wiring, virtualAddresses: [...new Set([...wiring.virtualAddresses, ...own])] };
  }

  #lookAround(): void {
    void this.#letGo();
    void this.#order({ kind: "mtus" });
  }

  /** Gives up the addresses of closed services whose last connection has ended. */
  async #letGo(): Promise<void> {
    const gone = [...this.#leaving].filter((it) => this.liveConnections(it.service) === 0);
    for (const binding of gone) this.#leaving.delete(binding);
    if (gone.length > 0) {
      await this.#order({ kind: "wire", wiring: this.#wiring() });
    }
  }

  /** Resolves when a thread forwards what is open now. */
  async #bringUp(): Promise<void> {
    this.#starting ??= this.#startThread().catch((error) => {
      this.#starting = undefined;
      throw error;
    });
    await this.#starting;
    // First the rules: nobody slips in between.
    await this.#order({ kind: "rules", rules: this.#rules() });
    await this.#order({ kind: "wire", wiring: this.#wiring() });
  }

  async #startThread(): Promise<void> {
    const { store, workerIndex, random, isRealtime = true, attachConnections } = this.#options;
    this.#startedMs = performance.now();
    const thread = await PacketThread.start({
      store: store.buffer,
      workerIndex,
      connectionEntries: LIMITS.connectionEntries,
      timeOriginMs: performance.timeOrigin,
      seed: random.below(2 ** 32),
      wiring: this.#wiring(),
      ringBytes: LIMITS.packetRingBytes,
      queueBytes: LIMITS.packetQueueBytes,
      isRealtime,
    }, this);
    this.#thread = thread;
    if (thread.connections !== undefined) attachConnections(thread.connections);
    this.#timer = setInterval(() => this.#lookAround(), LOOK_MS);
  }

  /** Without a thread there is nothing to be done: a new one learns everything at its start. */
  #order(wish: Wish): Promise<Done> {
    return this.#thread?.order(wish) ?? Promise.resolve({ kind: "done", id: 0 });
  }
}
