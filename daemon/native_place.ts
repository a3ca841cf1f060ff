/**
 * Whether the native engine runs here, and on how many threads. Known before the engines are loaded.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import { programFolder } from "../engines/native/thread_stock.ts";

/** Why the native engine cannot run here, `""` when it can. */
export function nativeObstacle(): string {
  return engineObstacle("native");
}

/** @returns `""` when it can run */
export function engineObstacle(engine: "native" | "packet"): string {
  if (Deno.build.os !== "linux") return `the ${engine} engine is for Linux, and this is ${Deno.build.os}`;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return `the ${engine} engine needs --allow-ffi, which was not given`;
  }
  const path = programFolder();
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") {
    return `the ${engine} engine needs --allow-read=${path} for its workers, which was not given`;
  }
  return "";
}

/** Threads of the native engine, 0 where it cannot run. `auto` leaves one processor to the rest of the program. */
export function workerCount(wished: number | "auto"): number {
  if (nativeObstacle() !== "") return 0;
  return wished === "auto" ? Math.max(1, Math.min(8, navigator.hardwareConcurrency - 1)) : wished;
}

/** Threads that a config will need at once, as far as can be told before its services are opened. */
export function threadsWanted({ services, packet, workers }: Config): number {
  const isNative = services.some(({ engine, mode }) =>
    engine === "native" || (engine === "auto" && (mode === "nat" || packet === undefined))
  );
  return isNative ? workerCount(workers) : 0;
}
