/**
 * From root to a user with a few capabilities, by starting the program anew.
 *
 * Why anew: capabilities belong to a thread, and Deno has many by the time a program runs. execve ends all of them and
 * goes on with the credentials of the calling one; what the new process starts inherits these.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { errnoName } from "./errno.ts";
import type { ProcessCalls } from "./process_calls.ts";

/** Numbers of linux/capability.h. */
export const CAPABILITY = { CAP_NET_BIND_SERVICE: 10, CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;
export type CapabilityName = keyof typeof CAPABILITY;

/** Options of prctl, linux/prctl.h. */
const KEEP_CAPABILITIES = 8;
const DROP_FROM_BOUNDING_SET = 24;
const SET_NO_NEW_PRIVILEGES = 38;
const AMBIENT = 47;
const AMBIENT_RAISE = 2;
/** Capabilities have 64 bits; asking for one that the kernel does not have fails, and nothing comes of it. */
const CAPABILITY_BITS = 64;

/** Who to become. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly groups: Uint32Array<ArrayBuffer>;
  readonly capabilities: readonly CapabilityName[];
}

/**
 * Takes on the credentials for good: no setuid program gives anything back (`no_new_privs`), the bounding set has no more
 * than the capabilities. Only this thread keeps them; {@linkcode ProcessCalls.execute} must follow.
 *
 * @throws {SystemError} `USER_CHANGE_FAILED`; the process is then neither the one nor the other and should end
 */
export function takeOn(calls: ProcessCalls, { uid, gid, groups, capabilities }: Credentials): void {
  const numbers = capabilities.map((it) => CAPABILITY[it]);
  for (let number = 0; number < CAPABILITY_BITS; number++) {
    // Without CAP_SETPCAP, as in some containers, the set stays as narrow as it was given.
    if (!numbers.some((it) => it === number)) calls.processControl(DROP_FROM_BOUNDING_SET, number);
  }
  done("keep capabilities", calls.processControl(KEEP_CAPABILITIES, 1));
  done(`become user ${uid}, group ${gid}`, calls.setUser({ uid, gid, groups }));
  const bits = numbers.reduce((sum, it) => sum | (1n << BigInt(it)), 0n);
  done(`keep ${capabilities.join(", ") || "no capability"}`, calls.setCapabilities(bits));
  for (const [i, number] of numbers.entries()) {
    done(`hand on ${capabilities[i]}`, calls.processControl(AMBIENT, AMBIENT_RAISE, number));
  }
  done("renounce new privileges", calls.processControl(SET_NO_NEW_PRIVILEGES, 1));
}

function done(what: string, result: number): void {
  if (result >= 0) return;
  const name = errnoName(-result);
  throw new SystemError(
    "USER_CHANGE_FAILED",
    `cannot ${what}: ${name}; does this root have all of root's capabilities? Containers often do not`,
    { errno: -result },
  );
}
