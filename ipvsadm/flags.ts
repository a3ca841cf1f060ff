/**
 * Scheduler flags by the names of `-b`.
 *
 * @module
 */
import { SCHEDULER_FLAG } from "../schedulers/scheduler.ts";
import { fail } from "./refusal.ts";

/** Names, bits, and the only scheduler that takes them; in the order in which they are printed. */
const FLAGS: readonly { readonly name: string; readonly bit: number; readonly scheduler?: string }[] = [
  { name: "flag-1", bit: SCHEDULER_FLAG.flag1 },
  { name: "flag-2", bit: SCHEDULER_FLAG.flag2 },
  { name: "flag-3", bit: SCHEDULER_FLAG.flag3 },
  { name: "sh-fallback", bit: SCHEDULER_FLAG.flag1, scheduler: "sh" },
  { name: "sh-port", bit: SCHEDULER_FLAG.flag2, scheduler: "sh" },
  { name: "mh-fallback", bit: SCHEDULER_FLAG.flag1, scheduler: "mh" },
  { name: "mh-port", bit: SCHEDULER_FLAG.flag2, scheduler: "mh" },
];
const OWN_NAMES: readonly string[] = ["sh", "mh"];
const ALL_BITS = SCHEDULER_FLAG.flag1 | SCHEDULER_FLAG.flag2 | SCHEDULER_FLAG.flag3;

/**
 * Bits of a comma-separated list.
 *
 * @param scheduler as given on the command line; the default does not count
 * @throws {ToolError} a name that there is not, or of another scheduler
 */
export function readFlags(text: string, scheduler: string): number {
  let bits = 0;
  for (const name of text.split(",").filter((it) => it !== "")) {
    const flag = FLAGS.find((it) => it.name === name);
    if (flag === undefined) throw fail(`invalid scheduler flag \`${name}'`);
    if (flag.scheduler !== undefined && flag.scheduler !== scheduler) {
      throw fail(`incompatible scheduler flag \`${name}'`);
    }
    bits |= flag.bit;
  }
  return bits;
}

/**
 * Names of the bits, undefined for none. sh and mh have names of their own for the first two and none for the third,
 * so that a lone `flag-3` of theirs is an empty list: the tool prints `()`.
 */
export function flagNames(bits: number, scheduler: string): string | undefined {
  if ((bits & ALL_BITS) === 0) return undefined;
  const owner = OWN_NAMES.includes(scheduler) ? scheduler : undefined;
  return FLAGS.filter((it) => it.scheduler === owner && (bits & it.bit) !== 0).map((it) => it.name).join(",");
}
