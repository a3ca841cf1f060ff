/**
 * The director's switches, set by the configuration and by hand.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { IpvsConfig } from "../config/model.ts";
import type { Sysctl } from "../director/sysctl.ts";
import {
  KERNEL_SYSCTL_NAMES,
  type KernelSysctlName,
  SYSCTL_PREFIX,
  sysctlDefault,
  type SysctlState,
  sysctlState,
  writeSysctl,
} from "../director/sysctl_text.ts";

/** Keeps apart what the configuration said and what was set since. */
export class Switches {
  readonly #sysctl: Sysctl;
  readonly #logger: Logger;
  readonly #configured = new Map<KernelSysctlName, string>();

  constructor(sysctl: Sysctl, logger: Logger) {
    this.#sysctl = sysctl;
    this.#logger = logger;
  }

  /** Sets what differs from the configuration before: a value set by hand outlives a reload that does not speak of it. */
  apply(config: IpvsConfig): void {
    for (const name of KERNEL_SYSCTL_NAMES) {
      const value = config[name] ?? sysctlDefault(name);
      if (this.#configured.get(name) === value) continue;
      this.#configured.set(name, value);
      writeSysctl(this.#sysctl, name, value);
    }
  }

  /** In alphabetical order. */
  list(): SysctlState[] {
    return KERNEL_SYSCTL_NAMES.map((name) => sysctlState(this.#sysctl, name));
  }

  /** @throws {DirectorError} `EINVAL` */
  set(name: KernelSysctlName, value: string): SysctlState {
    writeSysctl(this.#sysctl, name, value);
    const state = sysctlState(this.#sysctl, name);
    this.#logger.info("switch {name} set to {value}", { name: SYSCTL_PREFIX + name, value: state.value });
    return state;
  }
}
