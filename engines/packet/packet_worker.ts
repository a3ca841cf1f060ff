/**
 * The packet engine's worker: one director over the shared store, one loop over all interfaces.
 *
 * @module
 */
import { receiveMessageOnPort, workerData } from "node:worker_threads";
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import { LvsdError } from "../../errors.ts";
import { Hooks } from "../../hooks/hooks.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";
import { FrameSender } from "../../sys/frame_sender.ts";
import { PacketLibrary } from "../../sys/packet_library.ts";
import { PacketSocket } from "../../sys/packet_socket.ts";
import { becomeRealtime } from "../../sys/thread_priority.ts";
import { TrainProgram } from "../../sys/train_program.ts";
import type { Link } from "./links.ts";
import { PacketDirector } from "./packet_director.ts";
import { WireLoop } from "./wire_loop.ts";
import { wire, type Wiring } from "./wiring.ts";
import { WorkerRules } from "./worker_rules.ts";
import type { Order, Report, WorkerCounts, WorkerSight, WorkerStart } from "./worker_messages.ts";

/** Everything of one worker. */
class PacketWorker {
  readonly #start: WorkerStart;
  readonly #sender: FrameSender;
  readonly #opened: DisposableStack;
  readonly #sockets = new Map<string, PacketSocket>();
  readonly #director: Director;
  readonly #packets: PacketDirector;
  readonly #loop: WireLoop;
  readonly #rules: WorkerRules;
  readonly #nowMs: () => number;
  #links: readonly Link[] = [];
  #wiring: Wiring;
  #stopId: number | undefined;

  /** @param opened takes what has to be closed, however this ends */
  constructor(start: WorkerStart, library: PacketLibrary, opened: DisposableStack) {
    this.#start = start;
    this.#wiring = start.wiring;
    this.#opened = opened;
    this.#sender = new FrameSender(library);
    const program = opened.use(TrainProgram.load(library));
    const options = { ...start, program };
    for (const { name } of start.wiring.interfaces) {
      if (!this.#sockets.has(name)) {
        this.#sockets.set(name, opened.use(PacketSocket.open(library, this.#sender, name, options)));
      }
    }
    const random = new SeededRandom(start.seed);
    const offsetMs = performance.timeOrigin - start.timeOriginMs;
    this.#nowMs = () => performance.now() + offsetMs;
    const hooks = new Hooks();
    this.#director = new Director({
      store: Store.attach(start.store),
      random,
      findScheduler,
      workerIndex: start.workerIndex,
      connectionEntries: start.connectionEntries,
      onExpire: (entry) => this.#rules.ended(entry),
      isBypassed: (flow) => this.#packets.isElsewhere(flow),
    });
    const rules = new WorkerRules(
      hooks,
      this.#director,
      random,
      (packet) => this.#report({ kind: "log", packet }),
    );
    this.#rules = rules;
    this.#loop = new WireLoop({
      library,
      sockets: [...this.#sockets.values()],
      sender: this.#sender,
      director: this.#director,
      nowMs: this.#nowMs,
    });
    this.#packets = new PacketDirector({
      director: this.#director,
      hooks,
      random,
      serviceOf: (passage) => rules.serviceOf(passage),
      isKnown: (passage) => rules.isKnown(passage),
      onProbed: (port, segment) => this.#report({ kind: "probed", port, segment }),
      onNew: (entry, flow) => rules.opened(entry, flow),
      emit: (link, bytes, from, to, passage) => this.#loop.emit(link, bytes, from, to, passage),
    });
    this.#sender.adopt(this.#packets.cutFrames, library.addressOf(this.#packets.cutFrames));
    this.#loop.attach(this.#packets);
    this.#wire(start.wiring);
  }

  run(): void {
    this.#report({ kind: "ready", connections: this.#director.connectionMemory });
    this.#loop.run(() => this.#obey());
    this.#opened.dispose();
    if (this.#stopId !== undefined) this.#report({ kind: "done", id: this.#stopId });
  }

  /** Does what there is in the mailbox; false when it said stop. */
  #obey(): boolean {
    this.#rules.turn();
    const { port } = this.#start;
    for (let mail = receiveMessageOnPort(port); mail !== undefined; mail = receiveMessageOnPort(port)) {
      const order = mail.message as Order;
      if (order.kind === "stop") {
        this.#stopId = order.id;
        return false;
      }
      if (order.kind === "wire") this.#wire(order.wiring);
      if (order.kind === "rules") this.#rules.set(order.rules, this.#links);
      if (order.kind === "fail") throw new Error("asked to die");
      if (order.kind === "mtus") this.#readMtus();
      if (order.kind === "probe") this.#packets.probe(order.probe, this.#nowMs());
      if (order.kind === "unprobe") this.#packets.forgetProbe(order.port);
      if (order.kind === "zero") this.#rules.zero();
      const counts = order.kind === "count" ? { counts: this.#counts() } : {};
      const sight = order.kind === "look" ? { sight: this.#look() } : {};
      this.#report({ kind: "done", id: order.id, ...counts, ...sight });
    }
    return true;
  }

  #wire(wiring: Wiring): void {
    this.#wiring = wiring;
    const socketOf = (name: string) => {
      const socket = this.#sockets.get(name);
      if (socket === undefined) throw new Error(`interface ${name} was not opened`);
      return socket;
    };
    const { links, addresses, routes } = wire(wiring, socketOf, this.#links);
    this.#links = links;
    this.#packets.configure(links, addresses, routes);
    for (const { link, address } of addresses) this.#packets.announce(link, address);
  }

  #readMtus(): void {
    for (const socket of this.#sockets.values()) {
      try {
        const { index } = socket;
        socket.refresh();
        // Made anew under its name.
        if (socket.index !== index) this.#wire(this.#wiring);
        for (const link of this.#links) if (link.index === socket.index) link.mtu = socket.mtu;
      } catch (error) {
        // An interface that is gone keeps its last one until it is back.
        if (!(error instanceof LvsdError)) throw error;
      }
    }
  }

  #counts(): WorkerCounts {
    return {
      frames: this.#loop.frames,
      sendFailures: this.#sender.failures,
      queueOverflows: [...this.#sockets.values()].reduce((sum, it) => sum + it.queueOverflows, 0),
      connections: this.#director.connectionCount,
      drops: this.#packets.drops.toJSON(),
    };
  }

  #look(): WorkerSight {
    const interfaces = [...this.#sockets].map(([name, { index, mtu, mac }]) =>
      [name, { index, mtu, mac }] as const
    );
    const neighbours = this.#packets.neighbours.known().map(({ link: { name, vlan }, address, mac }) => ({
      interfaceName: name,
      vlan,
      address,
      mac,
    }));
    return { interfaces: Object.fromEntries(interfaces), neighbours };
  }

  #report(report: Report): void {
    this.#start.port.postMessage(report);
  }
}

function main(start: WorkerStart): void {
  using library = PacketLibrary.open();
  // A thread that dies leaves its descriptors to the process: each socket has 8 MiB of the kernel's memory.
  using opened = new DisposableStack();
  if (start.isRealtime) becomeRealtime(library);
  let worker;
  try {
    worker = new PacketWorker(start, library, opened);
  } catch (error) {
    // Whoever hears of it may try again at once.
    opened.dispose();
    const code = error instanceof LvsdError ? error.code : "DEFECT";
    const message = error instanceof Error ? error.message : String(error);
    start.port.postMessage({ kind: "failed", code, message } satisfies Report);
    return;
  }
  worker.run();
}

main(workerData);
