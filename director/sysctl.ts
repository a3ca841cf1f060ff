/**
 * The switches of IPVS under their kernel names (`net.ipv4.vs.*`), with the kernel's defaults. They live in the
 * store, so every worker sees a change at once.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import { HEADER } from "./layout.ts";
import { type Switch, SWITCHES } from "./switches.ts";

export type SysctlName = keyof typeof SWITCHES;

/** The switches as a record: read and written by name. Writing a value out of range throws `EINVAL`. */
export type Sysctl = { -readonly [name in SysctlName]: number };

const NAMES = Object.keys(SWITCHES) as SysctlName[];

/** Place of a switch in the store's header, for the way of the packets. */
export function sysctlIndex(name: SysctlName): number {
  return HEADER.sysctl + NAMES.indexOf(name);
}

/** Writes the defaults; once, when a store is new. */
export function resetSysctl(header: Int32Array): void {
  for (const name of NAMES) header[sysctlIndex(name)] = SWITCHES[name].default;
}

/**
 * The record over the switches in a store's header; `changed` is called after each write.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Store } from "./store.ts";
 *
 * const store = Store.create({ capacities: { services: 1, destinations: 1 } });
 * const sysctl = openSysctl(store.header, () => store.changed());
 * assert.equal(sysctl.conn_reuse_mode, 1);
 * sysctl.expire_nodest_conn = 1;
 * assert.throws(() => sysctl.secure_tcp = 4, { code: "EINVAL" });
 * ```
 */
export function openSysctl(
  header: Int32Array,
  changed: (name: SysctlName, value: number) => void,
): Sysctl {
  const record = {} as Sysctl;
  for (const name of NAMES) {
    const index = sysctlIndex(name);
    const { min, max, powerOfTwo }: Switch = SWITCHES[name];
    Object.defineProperty(record, name, {
      enumerable: true,
      get: () => Atomics.load(header, index),
      set: (value: number) => {
        const isPower = powerOfTwo !== true || (value & (value - 1)) === 0;
        if (!Number.isInteger(value) || value < min || value > max || !isPower) {
          const kind = powerOfTwo === true ? "power of two" : "whole number";
          throw new DirectorError(
            "EINVAL",
            `${name} takes a ${kind} from ${min} to ${max}, not ${value}`,
            {
              name,
              value,
            },
          );
        }
        Atomics.store(header, index, value);
        changed(name, value);
      },
    });
  }
  return record;
}
