/**
 * Which engine moves the bytes of which service, and why.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Director } from "../director/director.ts";
import type { TrafficEntrance } from "../director/verdict.ts";
import type { Binding, Engine, EngineEvents } from "../engines/engine.ts";
import { type ConnectionJudge, NativeEngine } from "../engines/native/native.ts";
import { PortableEngine } from "../engines/portable/portable.ts";
import { type EngineChoice, RoutedEngine } from "../engines/routed.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Random } from "../net/random.ts";

/** Engines that the daemon puts behind services; the doctor asks. */
export const DAEMON_ENGINES: readonly Engine["name"][] = ["native", "portable"];

/** What engines are made of. */
export interface EngineParts {
  readonly director: Director;
  /** The director behind its rules. */
  readonly traffic: TrafficEntrance & ConnectionJudge;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly random: Random;
  readonly workers: number;
  isOwnListener(protocol: Binding["protocol"], target: Endpoint): boolean;
}

/** What there is to choose by. */
export interface EngineWish {
  readonly protocol: Binding["protocol"];
  readonly engine?: Binding["options"]["engine"] | undefined;
}

/** Why the native engine cannot run here, `""` when it can. */
export function nativeObstacle(): string {
  if (Deno.build.os !== "linux") return `the native engine is for Linux, and this is ${Deno.build.os}`;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "the native engine needs --allow-ffi, which was not given";
  }
  return "";
}

/** Threads of the native engine, 0 where it cannot run. `auto` leaves one processor to the rest of the program. */
export function workerCount(wished: number | "auto"): number {
  if (nativeObstacle() !== "") return 0;
  return wished === "auto" ? Math.max(1, Math.min(8, navigator.hardwareConcurrency - 1)) : wished;
}

/** Engines of a daemon. */
export class Engines {
  readonly engine: Engine;
  readonly #portable: PortableEngine;
  readonly #native: NativeEngine | undefined;
  readonly #obstacle: string;

  constructor(parts: EngineParts) {
    this.#obstacle = nativeObstacle();
    this.#portable = new PortableEngine(parts);
    this.#native = this.#obstacle === "" ? new NativeEngine({ ...parts, judge: parts.traffic }) : undefined;
    this.engine = this.#native === undefined
      ? this.#portable
      : new RoutedEngine([this.#native, this.#portable], ({ protocol, options }) =>
        this.choiceFor({ protocol, engine: options.engine }));
  }

  /** The engine of a service with this protocol and this wish. */
  choiceFor({ protocol, engine = "auto" }: EngineWish): EngineChoice {
    const native = this.#native;
    if (engine === "portable") return this.#portableBecause('the configuration says "engine: portable"');
    if (native === undefined) return this.#portableBecause(this.#obstacle || "no store for workers");
    if (protocol === "udp") return this.#portableBecause("the native engine moves TCP only");
    return { engine: native, reason: "Linux, and FFI is permitted" };
  }

  #portableBecause(reason: string): EngineChoice {
    return { engine: this.#portable, reason };
  }

  /** Rules came, changed or went: whether new connections have to be judged, and whether live ones are counted. */
  judge(areJudged: boolean, areCounted: boolean): void {
    this.#native?.judge(areJudged, areCounted);
  }
}
