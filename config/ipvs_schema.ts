/**
 * The YAML schema of the switches: the kernel's names and defaults, from the director's table.
 *
 * @module
 */
import { KERNEL_SYSCTL_NAMES, type KernelSysctlName, sysctlDefault } from "../director/sysctl_text.ts";
import { type Switch, SWITCHES } from "../director/switches.ts";
import { integer } from "./fields.ts";
import { list, section } from "./sections.ts";

/** The one switch that is a pair. */
const PAIR = "sync_threshold";

/** Numbers in the file; text that the kernel would print behind it. */
type SwitchField = ReturnType<typeof numberOf> | ReturnType<typeof pairOf>;

/** The switches under `ipvs`. */
export const ipvs = section(
  Object.fromEntries(KERNEL_SYSCTL_NAMES.map((name) => [name, fieldOf(name)])) as Record<
    KernelSysctlName,
    SwitchField
  >,
);

function fieldOf(name: KernelSysctlName): SwitchField {
  return name === PAIR ? pairOf(SWITCHES[name]) : numberOf(SWITCHES[name]);
}

function numberOf(it: Switch) {
  return integer(it.min, it.max).refine((value) => it.powerOfTwo !== true || (value & (value - 1)) === 0, {
    error: ({ input }) => `{key} ${input} is not a power of two; allowed: 1, 2, 4, 8, 16, 32, 64`,
  }).default(it.default).transform(String).describe(descriptionOf(it));
}

function pairOf(it: Switch) {
  return list(integer(it.min, it.max), "[3, 50]").refine(isThreshold, {
    error: "{key} must be two numbers, the first below the second, or the second 0; write [3, 50]",
  }).default(sysctlDefault(PAIR).split("\t").map(Number)).transform((pair) => pair.join("\t"))
    .describe(descriptionOf(it));
}

function descriptionOf({ meaning, effect, note }: Switch): string {
  const remark = effect === "none" ? ` No effect: ${note}.` : note === "" ? "" : ` Here: ${note}.`;
  return `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.${remark}`;
}

function isThreshold(pair: readonly number[]): boolean {
  const [first = 0, second = 0] = pair;
  return pair.length === 2 && (second === 0 || first < second);
}
