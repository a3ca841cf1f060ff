/**
 * The switches of IPVS under their kernel names (`net.ipv4.vs.*`), with the kernel's defaults. They live in the
 * store, so every worker sees a change at once.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import { HEADER } from "./layout.ts";

interface Switch {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

const INT_MAX = 2 ** 31 - 1;
const flag = { default: 0, min: 0, max: 1 };
const flagOn = { default: 1, min: 0, max: 1 };
const defence = { default: 0, min: 0, max: 3 };

/** Name, default and range of every switch. Their order is their place in the store: append only. */
export const SYSCTLS = {
  amemthresh: { default: 1_024, min: 0, max: INT_MAX },
  am_droprate: { default: 10, min: 0, max: INT_MAX },
  drop_entry: defence,
  drop_packet: defence,
  secure_tcp: defence,
  conntrack: flag,
  snat_reroute: flagOn,
  sync_version: flagOn,
  sync_ports: { default: 1, min: 1, max: 64 },
  sync_persist_mode: flag,
  sync_qlen_max: { default: 18_721, min: 0, max: INT_MAX },
  sync_sock_size: { default: 0, min: 0, max: INT_MAX },
  /** The pair `sync_threshold` of the kernel: how many packets, and in which period. */
  sync_threshold: { default: 3, min: 0, max: INT_MAX },
  sync_threshold_period: { default: 50, min: 0, max: INT_MAX },
  sync_refresh_period: { default: 0, min: 0, max: INT_MAX },
  sync_retries: { default: 0, min: 0, max: 3 },
  nat_icmp_send: flag,
  cache_bypass: flag,
  expire_nodest_conn: flag,
  expire_quiescent_template: flag,
  sloppy_tcp: flag,
  sloppy_sctp: flag,
  pmtu_disc: flagOn,
  backup_only: flag,
  /** Bit 0: a reused client port is scheduled anew; bit 1: in FIN_WAIT too, for DR and TUN. */
  conn_reuse_mode: { default: 1, min: 0, max: 3 },
  schedule_icmp: flag,
  ignore_tunneled: flag,
  run_estimation: flagOn,
  lblc_expiration: { default: 86_400, min: 0, max: INT_MAX },
  lblcr_expiration: { default: 86_400, min: 0, max: INT_MAX },
} as const satisfies Record<string, Switch>;

export type SysctlName = keyof typeof SYSCTLS;

/** The switches as a record: read and written by name. Writing a value out of range throws `EINVAL`. */
export type Sysctl = { -readonly [name in SysctlName]: number };

const NAMES = Object.keys(SYSCTLS) as SysctlName[];

/** Place of a switch in the store's header, for the way of the packets. */
export function sysctlIndex(name: SysctlName): number {
  return HEADER.sysctl + NAMES.indexOf(name);
}

/** Writes the defaults; once, when a store is new. */
export function resetSysctl(header: Int32Array): void {
  for (const name of NAMES) header[sysctlIndex(name)] = SYSCTLS[name].default;
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
export function openSysctl(header: Int32Array, changed: () => void): Sysctl {
  const record = {} as Sysctl;
  for (const name of NAMES) {
    const index = sysctlIndex(name);
    const { min, max } = SYSCTLS[name];
    Object.defineProperty(record, name, {
      enumerable: true,
      get: () => Atomics.load(header, index),
      set: (value: number) => {
        if (!Number.isInteger(value) || value < min || value > max) {
          throw new DirectorError(
            "EINVAL",
            `${name} takes a whole number from ${min} to ${max}, not ${value}`,
            {
              name,
              value,
            },
          );
        }
        Atomics.store(header, index, value);
        changed();
      },
    });
  }
  return record;
}
