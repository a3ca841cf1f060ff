/** V8 collects when it pleases, at times once in 15 s: who measures memory asks for it. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** @returns collects this thread's garbage, all of it */
export function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
