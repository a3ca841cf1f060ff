/**
 * Which engine moves the bytes of which service, and why.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Config, DestinationConfig, PacketConfig, ServiceConfig } from "../config/model.ts";
import type { Director } from "../director/director.ts";
import type { TrafficEntrance } from "../director/verdict.ts";
import type { Binding, Engine, EngineEvents } from "../engines/engine.ts";
import type { ConnectionJudge } from "../engines/native/judgements.ts";
import { NativeEngine, type WorkerLoad } from "../engines/native/native.ts";
import type { ThreadStock } from "../engines/native/thread_stock.ts";
import { HandOverEngine } from "../engines/hand_over/hand_over.ts";
import { PacketEngine } from "../engines/packet/packet_engine.ts";
import type { Surroundings } from "../engines/packet/packet_path.ts";
import { PortableEngine } from "../engines/portable/portable.ts";
import { type EngineChoice, RoutedEngine } from "../engines/routed.ts";
import { SystemError, ValueError } from "../errors.ts";
import type { ServerPath } from "../healthcheck/server_path.ts";
import { packTunnel, PLAIN_TUNNEL } from "../modes/tunnel.ts";
import type { IpAddress } from "../net/address.ts";
import type { LoggedPacket } from "../hooks/logged_packet.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Random } from "../net/random.ts";
import { FrameSender } from "../sys/frame_sender.ts";
import { PacketLibrary } from "../sys/packet_library.ts";
import { PacketSocket } from "../sys/packet_socket.ts";
import { engineObstacle, nativeObstacle } from "./native_place.ts";

/** Least memory of a packet socket's ring. */
const TRIAL = { ringBytes: 1 << 20, queueBytes: 1 << 20 } as const;

/** What TCP of the portable engine is made of, in its reason. */
const TCP_SOCKETS = {
  "handles": "TCP on the runtime's own handles",
  "node:net": "TCP on node:net, which is slower: this runtime does not show what is under it",
} as const;

/** What engines are made of. */
export interface EngineParts {
  readonly director: Director;
  /** The director behind its rules. */
  readonly traffic: TrafficEntrance & ConnectionJudge;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly random: Random;
  readonly workers: number;
  /** Threads for them that were started beforehand. */
  readonly threads?: ThreadStock | undefined;
  readonly packet: PacketPlace;
  /** A LOG rule met a packet in the packet engine. */
  readonly onLog: (packet: LoggedPacket) => void;
  /** Flight rings of the workers. */
  readonly flights: readonly ArrayBufferLike[];
  isOwnListener(protocol: Binding["protocol"], target: Endpoint): boolean;
}

/** Where the packet engine runs, or why it does not. */
export interface PacketPlace {
  /** `""` when it can run. */
  readonly obstacle: string;
  /** Its interfaces, and the number of its thread. */
  readonly place?: { readonly config: PacketConfig; readonly workerIndex: number };
}

/** What there is to choose by. */
export interface EngineWish {
  readonly engine?: Binding["options"]["engine"] | undefined;
  readonly mode?: Binding["options"]["mode"] | undefined;
  /** Absent: both. */
  readonly protocol?: Binding["protocol"];
}

/** Why the packet engine cannot run here, `""` when it can. */
export function packetObstacle(config: PacketConfig | undefined): string {
  if (config === undefined) return 'the packet engine needs the section "packet", which names its interfaces';
  return engineObstacle("packet") || packetSocketObstacle(config);
}

/** Found out by trying: capabilities and interfaces are the system's to judge. */
function packetSocketObstacle({ interfaces }: PacketConfig): string {
  try {
    using library = PacketLibrary.open();
    const sender = new FrameSender(library);
    for (const { name } of interfaces) PacketSocket.open(library, sender, name, TRIAL)[Symbol.dispose]();
    return "";
  } catch (error) {
    if (error instanceof SystemError) return error.message;
    throw error;
  }
}

/** The packet engine's thread has the number behind those of the native engine. */
export function packetPlace(config: PacketConfig | undefined, workers: number): PacketPlace {
  const obstacle = packetObstacle(config);
  if (config === undefined || obstacle !== "") return { obstacle };
  return { obstacle, place: { config, workerIndex: workers + 1 } };
}

/** Engines of a daemon. */
export class Engines {
  readonly engine: Engine;
  readonly #portable: PortableEngine;
  readonly #native: NativeEngine | undefined;
  readonly #packet: PacketEngine | undefined;
  /** Why there are no real packets, `""` when there are. */
  readonly packetObstacle: string;
  readonly #handOver: HandOverEngine;
  readonly #obstacle: string;

  constructor(parts: EngineParts) {
    this.#obstacle = nativeObstacle();
    this.#portable = new PortableEngine(parts);
    this.#native = this.#obstacle === "" ? new NativeEngine({ ...parts, judge: parts.traffic }) : undefined;
    const { packet, director, random } = parts;
    const { place } = packet;
    this.packetObstacle = packet.obstacle;
    this.#packet = place === undefined ? undefined : new PacketEngine({
      store: director.store,
      workerIndex: place.workerIndex,
      random,
      wiring: { ...place.config, virtualAddresses: [] },
      isRealtime: place.config.priority === "realtime",
      attachConnections: (memory) => director.attachConnections(place.workerIndex, memory),
      recover: (memory) => {
        director.attachConnections(place.workerIndex, undefined);
        return director.recoverWorker(place.workerIndex, memory).connections;
      },
      trouble: (service, message) => parts.events.trouble(service, message),
      activeConns: (service) => activeConns(director, service),
      onLog: parts.onLog,
    });
    this.#handOver = new HandOverEngine(parts);
    const others = [this.#packet, this.#portable, this.#handOver].filter((it) => it !== undefined);
    this.engine = new RoutedEngine(
      [
        this.#native ?? this.#portable,
        ...others.filter((it) => it !== this.#portable || this.#native !== undefined),
      ],
      ({ options: { engine, mode } }) => this.choiceFor({ engine, mode }),
    );
  }

  /** The engine of a service with this wish. */
  choiceFor(wish: EngineWish): EngineChoice {
    const choice = this.#choiceFor(wish);
    if (choice.engine !== this.#portable || wish.protocol === "udp") return choice;
    return { engine: choice.engine, reason: `${choice.reason}; ${TCP_SOCKETS[this.#portable.tcpSockets]}` };
  }

  #choiceFor({ engine = "auto", mode = "nat" }: EngineWish): EngineChoice {
    const native = this.#native;
    if (engine === "packet" || (engine === "auto" && mode !== "nat" && this.#packet !== undefined)) {
      if (this.#packet === undefined) return this.#portableBecause(this.packetObstacle);
      const reason = engine === "packet"
        ? 'the configuration says "engine: packet"'
        : `${mode} is about packets, and the section "packet" names interfaces`;
      return { engine: this.#packet, reason };
    }
    if (engine === "portable") return this.#portableBecause('the configuration says "engine: portable"');
    if (engine === "tunnel") {
      return this.#portableBecause("its destinations have tunnelTo: a tunnel socket leads to each of them");
    }
    if (engine === "hand-over") {
      return {
        engine: this.#handOver,
        reason: "its destinations have handOver: they get the accepted sockets",
      };
    }
    if (native === undefined) return this.#portableBecause(this.#obstacle || "no store for workers");
    return { engine: native, reason: "Linux, and FFI is permitted" };
  }

  /**
   * The way of clients' packets to a destination of a service; undefined where no packets are forwarded to it.
   *
   * @param destination its method and tunnel
   */
  pathsOf(
    service: ServiceConfig,
    { method = service.mode, tunnel = PLAIN_TUNNEL }: Pick<DestinationConfig, "method" | "tunnel">,
  ): ((server: IpAddress) => ServerPath) | undefined {
    const packet = this.#packet;
    if (packet === undefined || method === "nat" || this.choiceFor(service).engine !== packet) {
      return undefined;
    }
    const way = { method, virtual: String(service.listen.address), tunnel: packTunnel(tunnel) };
    return (server) => ({
      open: (protocol, heard) => packet.probe({ ...way, server: String(server) }, protocol, heard),
    });
  }

  #portableBecause(reason: string): EngineChoice {
    return { engine: this.#portable, reason };
  }

  /** Resolves when every worker has seen the changes made before. */
  async passed(): Promise<void> {
    await this.#native?.passed();
  }

  /** What a packet would meet in the packet engine. @throws {ValueError} `PACKET_ENGINE_ABSENT` */
  async surroundings(): Promise<Surroundings> {
    const found = await this.#packet?.surroundings();
    if (found !== undefined) return found;
    throw packetEngineAbsent(this.packetObstacle || "no service goes through the packet engine");
  }

  /** Chains of a configuration, for the engine that asks them of each packet. */
  async setRules({ rules, services }: Config): Promise<void> {
    await this.#packet?.setRules(rules, services.map((it) => it.name));
  }

  /** The native engine's workers; none without it. */
  get workerLoads(): readonly WorkerLoad[] {
    return this.#native?.workerLoads ?? [];
  }

  /** What the packet engine's worker has counted of the rules. */
  get ruleCounters(): Float64Array | undefined {
    return this.#packet?.ruleCounters;
  }

  zeroRuleCounters(): void {
    this.#packet?.zeroRuleCounters();
  }

  /** Rules came, changed or went: whether new connections have to be judged, and whether live ones are counted. */
  judge(areJudged: boolean, areCounted: boolean): void {
    this.#native?.judge(areJudged, areCounted);
  }
}

/** The error of somebody who asks after packets where none are forwarded. */
export function packetEngineAbsent(why: string): ValueError {
  return new ValueError(
    "PACKET_ENGINE_ABSENT",
    `packets have no way to be shown here: ${why}; leave --packet out to ask where a connection goes`,
    {},
  );
}

/** ActiveConn of a service that may have been deleted. */
function activeConns(director: Director, service: number): number {
  if (!director.services().some(({ handle }) => handle === service)) return 0;
  return director.destinationViews(service).reduce((sum, it) => sum + it.activeConns, 0);
}
