/**
 * What the doctor finds, and what it says of a service.
 *
 * @module
 */
import type { ForwardingMethodName } from "../modes/rules.ts";

/** What a finding does to a service: it cannot work, it works by sockets only, or something else will hurt. */
export type Effect = "stops" | "emulates" | "warns";

/** One missing or wrong piece. */
export interface Finding {
  /** Stable word for scripts, e.g. `arp-ignore`. */
  readonly id: string;
  readonly effect: Effect;
  /** Service, destination or interface that it is about; `""` for the host. */
  readonly subject: string;
  /** What is wrong and what follows from it. */
  readonly text: string;
  /** The host on which `mend` has to be run, by its address; absent: this one. */
  readonly on?: string;
  /** Shell command that mends it. One that begins with `#` says what a person has to decide or edit. */
  readonly mend: string;
}

/** How a service's forwarding method would be carried out on this host. */
export type Life = "real" | "emulated" | "impossible";

/** The word for one service. */
export interface ServiceDiagnosis {
  readonly service: string;
  readonly mode: ForwardingMethodName;
  readonly life: Life;
  /** Why, in one clause. */
  readonly reason: string;
  readonly findings: readonly Finding[];
}

/** All that the doctor says. */
export interface Diagnosis {
  /** What concerns every service. */
  readonly host: readonly Finding[];
  readonly services: readonly ServiceDiagnosis[];
}

/** Whether something is missing; warnings alone are none. */
export function isHealthy({ host, services }: Diagnosis): boolean {
  const findings = [...host, ...services.flatMap((it) => it.findings)];
  return findings.every((it) => it.effect === "warns") && services.every((it) => it.life === "real");
}
