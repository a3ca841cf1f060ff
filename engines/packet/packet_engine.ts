/**
 * The packet engine as the control plane sees it: services whose packets a worker forwards.
 *
 * @module
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { SystemError } from "../../errors.ts";
import type { LoggedPacket } from "../../hooks/logged_packet.ts";
import type { Chain } from "../../hooks/rule.ts";
import { counterSlots } from "../../hooks/rule_set.ts";
import { LIMITS } from "../../limits.ts";
import type { Random } from "../../net/random.ts";
import type { Store } from "../../director/store.ts";
import { workerModule } from "../../sys/worker_module.ts";
import type { Binding, Engine, OpenBinding } from "../engine.ts";
import type { Surroundings } from "./packet_path.ts";
import type { Probe, ProbePath } from "./probes.ts";
import { packChains, type PackedRules } from "./rule_transfer.ts";
import type { Wiring } from "./wiring.ts";
import type { Order, Report, WorkerCounts, WorkerStart } from "./worker_messages.ts";

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

/** An order without its number. */
type Wish = Order extends infer One ? One extends Order ? Omit<One, "id"> : never : never;

/** Forwards packets of virtual services on Linux with CAP_NET_RAW. Nothing of it stays on the host when it is gone. */
export class PacketEngine implements Engine {
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
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  #starting: Promise<void> | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, (report: Report) => void>();
  readonly #probing = new Map<number, (segment: Uint8Array) => void>();
  #probePort: number = PROBE_PORTS.first;

  constructor(options: PacketEngineOptions) {
    this.#options = options;
  }

  async open(binding: Binding): Promise<OpenBinding> {
    this.#open.add(binding);
    try {
      await this.#start();
      // First the rules: nobody slips in between.
      await this.#order({ kind: "rules", rules: this.#rules() });
      await this.#order({ kind: "wire", wiring: this.#wiring() });
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
    if (this.#port !== undefined) await this.#order({ kind: "rules", rules: this.#rules() });
  }

  /** Packets and bytes of each rule, then of each chain's policy, as the worker counts them. */
  get ruleCounters(): Float64Array {
    return new Float64Array(this.#counters);
  }

  /** Lets those counters begin at 0; the worker does it in its next turn. */
  zeroRuleCounters(): void {
    if (this.#port !== undefined) void this.#order({ kind: "zero" });
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
        if (this.#port !== undefined) void this.#order({ kind: "probe", probe: { path, protocol, segment } });
      },
      [Symbol.dispose]: () => {
        this.#probing.delete(port);
        if (this.#port !== undefined) void this.#order({ kind: "unprobe", port });
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
    if (this.#port === undefined) return undefined;
    const report = await this.#order({ kind: "count" });
    return report.kind === "done" ? report.counts : undefined;
  }

  /** What a packet would meet; undefined while no service is open. */
  async surroundings(): Promise<Surroundings | undefined> {
    if (this.#port === undefined) return undefined;
    const report = await this.#order({ kind: "look" });
    if (report.kind !== "done" || report.sight === undefined) return undefined;
    return { ...report.sight, wiring: this.#wiring(), rules: this.#rules() };
  }

  async stop(): Promise<void> {
    await this.#starting?.catch(() => {});
    clearInterval(this.#timer);
    if (this.#port === undefined) return;
    await this.#order({ kind: "stop" });
    this.#port.close();
    this.#port = undefined;
    await this.#worker?.terminate();
    this.#worker = undefined;
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
    if (this.#port !== undefined) void this.#order({ kind: "mtus" });
  }

  /** Gives up the addresses of closed services whose last connection has ended. */
  async #letGo(): Promise<void> {
    const gone = [...this.#leaving].filter((it) => this.liveConnections(it.service) === 0);
    for (const binding of gone) this.#leaving.delete(binding);
    if (gone.length > 0 && this.#port !== undefined) {
      await this.#order({ kind: "wire", wiring: this.#wiring() });
    }
  }

  #start(): Promise<void> {
    return this.#starting ??= this.#startWorker().catch((error) => {
      this.#starting = undefined;
      throw error;
    });
  }

  #startWorker(): Promise<void> {
    const { store, workerIndex, random } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const start: WorkerStart = {
      store: store.buffer,
      workerIndex,
      connectionEntries: LIMITS.connectionEntries,
      timeOriginMs: performance.timeOrigin,
      seed: random.below(2 ** 32),
      wiring: this.#wiring(),
      ringBytes: LIMITS.packetRingBytes,
      queueBytes: LIMITS.packetQueueBytes,
      isRealtime: this.#options.isRealtime ?? true,
      port: port2,
    };
    const worker = new Worker(workerModule("packet_worker", import.meta.url), {
      workerData: start,
      transferList: [port2],
    });
    return new Promise((resolve, reject) => {
      worker.on("error", (error) => reject(error));
      port1.on("message", (report: Report) => {
        if (report.kind === "ready") {
          this.#worker = worker;
          this.#port = port1;
          this.#options.attachConnections(report.connections);
          this.#timer = setInterval(() => this.#lookAround(), LOOK_MS);
          resolve();
        } else if (report.kind === "log") {
          this.#options.onLog?.(report.packet);
        } else if (report.kind === "failed") {
          port1.close();
          reject(new SystemError(report.code, report.message));
        } else if (report.kind === "probed") {
          this.#probing.get(report.port)?.(report.segment);
        } else {
          this.#waiting.get(report.id)?.(report);
          this.#waiting.delete(report.id);
        }
      });
    });
  }

  #order(wish: Wish): Promise<Report> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#port?.postMessage({ ...wish, id });
    });
  }
}
