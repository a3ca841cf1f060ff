/**
 * Switches as sysctl(8) writes them: 29 names, of which one holds two numbers.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import { ABSENT_SWITCHES, type SwitchEffect, SWITCHES } from "./switches.ts";
import type { Sysctl, SysctlName } from "./sysctl.ts";

/** The path before every name. */
export const SYSCTL_PREFIX = "net.ipv4.vs.";

/** A pair in the kernel, two switches in the store. */
const PAIR = "sync_threshold";
const SECOND = "sync_threshold_period";

/** A name as the kernel has it. */
export type KernelSysctlName = Exclude<SysctlName, typeof SECOND>;

/** Every name, in the order in which `sysctl -a` lists them. */
export const KERNEL_SYSCTL_NAMES: readonly KernelSysctlName[] = (Object.keys(SWITCHES) as SysctlName[])
  .filter((it): it is KernelSysctlName => it !== SECOND).sort();

/** One switch for people and scripts. */
export interface SysctlState {
  /** Without the prefix. */
  readonly name: KernelSysctlName;
  /** As the kernel prints it; a pair has a tab between. */
  readonly value: string;
  readonly default: string;
  readonly meaning: string;
  readonly effect: SwitchEffect;
  /** Where lvsd differs from the kernel; "" for nowhere. */
  readonly note: string;
}

/**
 * The switch behind a name, with or without prefix, dots or slashes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(kernelSysctlName("net.ipv4.vs.drop_entry"), "drop_entry");
 * assert.equal(kernelSysctlName("net/ipv4/vs/drop_entry"), "drop_entry");
 * assert.equal(kernelSysctlName("drop_all"), undefined);
 * ```
 */
export function kernelSysctlName(text: string): KernelSysctlName | undefined {
  const name = bareSysctlName(text);
  return KERNEL_SYSCTL_NAMES.find((it) => it === name);
}

/** The last part of a name. */
export function bareSysctlName(text: string): string {
  const dotted = text.replaceAll("/", ".");
  return dotted.startsWith(SYSCTL_PREFIX) ? dotted.slice(SYSCTL_PREFIX.length) : dotted;
}

/** Why there is no such switch although another kernel has it, undefined for an unknown name. */
export function whySysctlIsAbsent(text: string): string | undefined {
  const name = bareSysctlName(text);
  return Object.hasOwn(ABSENT_SWITCHES, name) ? ABSENT_SWITCHES[name] : undefined;
}

/** A switch's default as the kernel prints it. */
export function sysctlDefault(name: KernelSysctlName): string {
  return textOf(name, (it) => SWITCHES[it].default);
}

export function sysctlState(sysctl: Sysctl, name: KernelSysctlName): SysctlState {
  const { meaning, effect, note } = SWITCHES[name];
  return {
    name,
    value: textOf(name, (it) => sysctl[it]),
    default: sysctlDefault(name),
    meaning,
    effect,
    note,
  };
}

/**
 * Sets a switch from text, as `sysctl -w` takes it.
 *
 * @throws {DirectorError} `EINVAL`, and nothing is changed
 */
export function writeSysctl(sysctl: Sysctl, name: KernelSysctlName, text: string): void {
  const words = text.trim().split(/\s+/);
  const numbers = words.map((word) => /^[+-]?\d+$/.test(word) ? Number(word) : NaN);
  const [first = NaN, second = NaN] = numbers;
  if (name !== PAIR) {
    if (words.length !== 1 || Number.isNaN(first)) throw notThat(name, text, rangeText(name));
    sysctl[name] = first;
    return;
  }
  // As the kernel: the second is a period that the first lies in, or 0 for none.
  const fits = numbers.length === 2 && first >= 0 && second >= 0 && (second === 0 || first < second) &&
    Math.max(first, second) <= SWITCHES[PAIR].max;
  if (!fits) {
    throw notThat(name, text, "two whole numbers, the first below the second, or the second 0: 3 50");
  }
  sysctl[PAIR] = first;
  sysctl[SECOND] = second;
}

function textOf(name: KernelSysctlName, valueOf: (name: SysctlName) => number): string {
  return name === PAIR ? `${valueOf(PAIR)}\t${valueOf(SECOND)}` : `${valueOf(name)}`;
}

function rangeText(name: SysctlName): string {
  const { min, max } = SWITCHES[name];
  return `a whole number from ${min} to ${max}`;
}

function notThat(name: string, text: string, wanted: string): DirectorError {
  return new DirectorError("EINVAL", `${name} takes ${wanted}, not "${text}"`, { name, value: text });
}
