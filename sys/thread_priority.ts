/**
 * The calling thread's place among all threads of the system.
 *
 * @module
 */
import type { PacketLibrary } from "./packet_library.ts";

/** `struct sched_attr`, the first version. */
const ATTRIBUTE_BYTES = 48;
const ATTRIBUTE = { size: 0, policy: 4, flags: 8, priority: 20 } as const;
const SCHED_RR = 2;
/** Threads that it starts are ordinary ones. */
const RESET_ON_FORK = 1n;
/** The lowest of the real-time priorities goes before every ordinary thread. */
const LOWEST = 1;

/**
 * The calling thread goes before all ordinary ones, as the kernel's own forwarding does; the system still keeps 5 % of the time
 * for those (`kernel.sched_rt_runtime_us`). False where that is not allowed (CAP_SYS_NICE).
 */
export function becomeRealtime(library: PacketLibrary): boolean {
  const attribute = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
  attribute.setUint32(ATTRIBUTE.size, ATTRIBUTE_BYTES, true);
  attribute.setUint32(ATTRIBUTE.policy, SCHED_RR, true);
  attribute.setBigUint64(ATTRIBUTE.flags, RESET_ON_FORK, true);
  attribute.setUint32(ATTRIBUTE.priority, LOWEST, true);
  return library.setScheduling(new Uint8Array(attribute.buffer)) >= 0;
}
